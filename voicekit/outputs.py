"""What `VoiceConnection.poll` (and `Gateway.poll`) ask the driver to do.

``link`` numbers a socket for its whole life, WebSockets and UDP sockets each on their
own count. While one socket replaces another, input of the old one carries the old
number and is recognised as late. Payloads never show in a repr: they hold tokens.
"""

import msgspec

__all__ = [
    "CloseUdp",
    "CloseWebSocket",
    "GatewayOutput",
    "OpenUdp",
    "OpenWebSocket",
    "Output",
    "SendBinary",
    "SendDatagram",
    "SendText",
]


class _Output(msgspec.Struct, frozen=True, gc=False):
    link: int


class OpenWebSocket(_Output, frozen=True, gc=False):
    """Dial ``url`` without compression and without keepalive pings of your own.

    Answer with ``websocket_opened(link, now)`` or ``websocket_failed(link, why, now)``.
    """

    url: str


class SendText(_Output, frozen=True, gc=False):
    """Send one text message."""

    text: str

    def __repr__(self) -> str:
        return f"SendText(link={self.link}, text=<{len(self.text)} characters>)"


class SendBinary(_Output, frozen=True, gc=False):
    """Send one binary message."""

    data: bytes

    def __repr__(self) -> str:
        return f"SendBinary(link={self.link}, data=<{len(self.data)} bytes>)"


class CloseWebSocket(_Output, frozen=True, gc=False):
    """Close with ``code``, within a second or so; nothing need be reported back."""

    code: int
    reason: str = ""


class OpenUdp(_Output, frozen=True, gc=False):
    """Open a UDP socket connected to ``host:port``.

    Answer with ``udp_opened(link, now)`` or ``udp_failed(link, why, now)``.
    """

    host: str
    port: int


class SendDatagram(_Output, frozen=True, gc=False):
    """Send one datagram. A full socket buffer may lose it: report nothing."""

    data: bytes

    def __repr__(self) -> str:
        return f"SendDatagram(link={self.link}, data=<{len(self.data)} bytes>)"


class CloseUdp(_Output, frozen=True, gc=False):
    """Close the UDP socket."""


GatewayOutput = OpenWebSocket | SendText | SendBinary | CloseWebSocket
Output = GatewayOutput | OpenUdp | SendDatagram | CloseUdp
