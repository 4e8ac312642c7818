"""One client of a `Pair`."""

from typing import TypeVar

from voicekit.connection import VoiceConnection
from voicekit.events import AudioFrame
from voicekit.link import Link
from voicekit.testing.wires import WebSocketWire

__all__ = ["Client", "opus_frame"]

#: TEST-NET-2: addresses that exist in documentation only (RFC 5737).
CLIENT_HOST = "198.51.100.{}"

_Event = TypeVar("_Event")


def opus_frame(number: int = 0, size: int = 80) -> bytes:
    """Return a valid 20 ms stereo Opus packet whose bytes tell which one it is.

    TOC ``FC``: CELT, full band, 20 ms, stereo, one frame (RFC 6716 section 3.1).
    """
    return b"\xfc" + number.to_bytes(4, "big") + bytes(max(0, size - 5))


class Client:
    """One client of a `Pair`: its connection, its network, and what it has reported."""

    def __init__(
        self, number: int, connection: VoiceConnection, uplink: Link, downlink: Link
    ) -> None:
        self.number = number  #: from 1
        self.generation = 0  #: how often `Pair.restart` has given it a new connection
        self.name = f"client {number}"
        self.connection = connection
        self.uplink = uplink  #: datagrams to the server
        self.downlink = downlink  #: datagrams from the server
        self.frames: list[AudioFrame] = []
        self.events: list[object] = []  #: all but the frames
        self.unsent = 0  #: frames of `Pair.play` that `send_audio` did not take
        self.refuse_websockets = 0  #: this many dials to come fail
        self.refuse_udp = 0  #: this many UDP sockets to come fail
        self.wire: WebSocketWire | None = None  #: the current WebSocket
        self.host = CLIENT_HOST.format(number)
        self.port = 0  #: of the current UDP socket; 0: none
        self.udp_link = 0

    def __repr__(self) -> str:
        return f"<{self.name}: {self.connection.state.name}>"

    def events_of(self, kind: type[_Event]) -> list[_Event]:
        """Return the events of one class so far."""
        return [event for event in self.events if isinstance(event, kind)]
