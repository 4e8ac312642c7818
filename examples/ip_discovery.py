"""`IpDiscovery` alone: what address does a voice server see us under?

Run: ``python examples/ip_discovery.py HOST PORT SSRC``, with the three values of Ready.
"""

import socket
import sys
import time

from voicekit import IpDiscovery
from voicekit.discovery import Discovered, DiscoveryFailed


def discover(host: str, port: int, ssrc: int) -> tuple[str, int] | None:
    """Ask until an answer comes, at most ten times; None: UDP is blocked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((host, port))
        discovery = IpDiscovery(ssrc)
        discovery.start(time.monotonic())
        while True:
            while (output := discovery.poll()) is not None:
                match output:
                    case Discovered(address, our_port):
                        return address, our_port
                    case DiscoveryFailed():
                        return None
                    case request:
                        udp.send(request)
            due = discovery.next_timeout()
            assert due is not None
            udp.settimeout(max(0.001, due - time.monotonic()))
            try:
                discovery.receive_datagram(udp.recv(2048), time.monotonic())
            except TimeoutError:
                discovery.handle_timeout(time.monotonic())
            except ConnectionRefusedError:
                time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    print(discover(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
