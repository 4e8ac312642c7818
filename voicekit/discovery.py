"""IP discovery: asking the voice server for the address under which it sees us.

Request and reply are 74 bytes, big-endian:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  type: 1 request, 2 reply     |  length of what follows: 70   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                             SSRC                              |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          address as text, filled up with NULs (64 bytes)      |
    :                                                               :
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |             port              |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Source: https://discord.com/developers/docs/topics/voice-connections#ip-discovery
"""

import ipaddress
import struct
from collections import deque

import msgspec

from .config import Config
from .errors import LocalProtocolError

__all__ = [
    "Discovered",
    "DiscoveryFailed",
    "IpDiscovery",
    "build_reply",
    "build_request",
    "parse_reply",
    "parse_request",
]

_LAYOUT = struct.Struct(">HHI64sH")
_REQUEST = 1
_REPLY = 2
_LENGTH = 70

Buffer = bytes | bytearray | memoryview


def build_request(ssrc: int) -> bytes:
    """Return the datagram that asks for our own address; all but its first 8 bytes is zero."""
    return _build(_REQUEST, ssrc, b"", 0)


def build_reply(ssrc: int, address: str, port: int) -> bytes:
    """Return a server's answer. ``address`` is IPv4 or IPv6 text; ``ValueError`` if not."""
    ipaddress.ip_address(address)
    return _build(_REPLY, ssrc, address.encode("ascii"), port)


def _build(kind: int, ssrc: int, address: bytes, port: int) -> bytes:
    try:
        return _LAYOUT.pack(kind, _LENGTH, ssrc, address, port)
    except struct.error as error:
        raise ValueError(f"ssrc {ssrc} or port {port} is out of range") from error


def parse_request(data: Buffer) -> int | None:
    """Return the SSRC of a request; None for anything that is not one.

    Address and port are not looked at: what clients leave in there varies.
    """
    try:
        kind, length, ssrc, _, _ = _LAYOUT.unpack(data)
    except struct.error:  # not 74 bytes
        return None
    return ssrc if (kind, length) == (_REQUEST, _LENGTH) else None


def parse_reply(data: Buffer, ssrc: int) -> tuple[str, int] | None:
    """Return address and port out of the reply to our request; None for anything else.

    Strict, since anybody may send us datagrams: exact size, type and length, our own
    ``ssrc``, a valid address with a NUL behind it, and a port other than 0.
    """
    try:
        kind, length, their_ssrc, text, port = _LAYOUT.unpack(data)
    except struct.error:  # not 74 bytes
        return None
    if (kind, length, their_ssrc) != (_REPLY, _LENGTH, ssrc) or port == 0:
        return None
    text, nul, _ = text.partition(b"\0")
    if not nul or b"%" in text:  # a scope ("fe80::1%eth0") means nothing to anybody else
        return None
    try:
        address = text.decode("ascii")
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return address, port


class Discovered(msgspec.Struct, frozen=True):
    """The server's answer: our address and port as it sees them."""

    address: str
    port: int


class DiscoveryFailed(msgspec.Struct, frozen=True):
    """Nobody answered: UDP is blocked, or the server is gone."""

    attempts: int


class IpDiscovery:
    """Asks once a second until an answer comes, ten times by default.

    Sans-I/O: `start`, then send the bytes that `poll` returns, hand in what arrives, call
    `handle_timeout` at `next_timeout`. It ends in one `Discovered` or one `DiscoveryFailed`.
    """

    def __init__(self, ssrc: int, config: Config | None = None) -> None:
        self._config = config if config is not None else Config()
        self._ssrc = ssrc
        self._request = build_request(ssrc)
        self._attempts = 0
        self._deadline: float | None = None
        self._pending: deque[bytes | Discovered | DiscoveryFailed] = deque()

    @property
    def attempts(self) -> int:
        """Requests sent so far."""
        return self._attempts

    def start(self, now: float) -> None:
        """Send the first request. Raises `LocalProtocolError` when called twice."""
        if self._attempts:
            raise LocalProtocolError("this discovery was started before")
        self._ask(now)

    def receive_datagram(self, data: Buffer, now: float) -> bool:
        """Take a datagram; True if it was the awaited reply, False to look elsewhere."""
        if self._deadline is None:
            return False
        found = parse_reply(data, self._ssrc)
        if found is None:
            return False
        self._deadline = None
        # A request that is due but not yet sent has no use any more.
        self._pending.clear()
        self._pending.append(Discovered(*found))
        return True

    def handle_timeout(self, now: float) -> None:
        """Ask again, or give up, if the time of `next_timeout` has come."""
        if self._deadline is None or now < self._deadline:
            return
        if self._attempts < self._config.discovery_attempts:
            self._ask(now)
        else:
            self._deadline = None
            self._pending.append(DiscoveryFailed(self._attempts))

    def next_timeout(self) -> float | None:
        """Return when to call `handle_timeout`; None when it is over, or not started."""
        return self._deadline

    def poll(self) -> bytes | Discovered | DiscoveryFailed | None:
        """Return the next request to send, the result, or None."""
        return self._pending.popleft() if self._pending else None

    def _ask(self, now: float) -> None:
        self._attempts += 1
        self._deadline = now + self._config.discovery_interval
        self._pending.append(self._request)
