"""UDP sockets of the operating system, received from in C, for any event loop.

`drain` takes what waits on one socket into a `DatagramBatch`; `Poller` says which of many
have something. Neither ever waits.
"""

from .._datagrams import DatagramBatch
from ._udp import BATCHED, drain, drain_singly
from .poller import Poller
from .udp_socket import UdpSocket

__all__ = ["BATCHED", "DatagramBatch", "Poller", "UdpSocket", "drain", "drain_singly"]
