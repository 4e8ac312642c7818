"""Media that the server does not open (`ServerConfig.media`): counted, and perhaps passed on.

For measuring clients: a server that opens and seals every packet costs more than they do. The
shell may bring a `MediaRelay` that does the same outside of Python; here is what it does.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from .outputs import SendDatagram
from .session import Address, Session

__all__ = ["BlindMedia", "MediaRelay", "MediaRoute", "close_route", "is_media"]

#: RTP and RTCP are version 2; an RTP header has 12 bytes, and keepalives are shorter.
VERSION_BITS, VERSION_2 = 0xC0, 0x80
SHORTEST_MEDIA = 12


class MediaRoute(Protocol):
    """What a relay knows of one source: `voicekit.net._relay.Route`."""

    @property
    def address(self) -> Address:
        """The source."""

    @property
    def received(self) -> int:
        """Datagrams from it."""

    @property
    def passed(self) -> int:
        """Datagrams passed on, one for each receiver."""

    def set_targets(self, addresses: Sequence[Address]) -> None:
        """Pass on to these."""

    def close(self) -> None:
        """Forget the source; the counts stay."""


class MediaRelay(Protocol):
    """Takes media off the server's socket: `voicekit.net._relay.Relay`."""

    def add(self, address: Address) -> MediaRoute:
        """Know a source, without receivers as yet."""


class BlindMedia:
    """Counts media by its sender's address, without a look inside."""

    def __init__(self, outputs: deque[Any], *, passes_on: bool) -> None:
        self._outputs = outputs
        self._passes_on = passes_on
        self._relay: MediaRelay | None = None

    def set_relay(self, relay: MediaRelay) -> None:
        """Leave it to ``relay`` from now on: before the first session."""
        self._relay = relay

    def receive(self, session: Session, data: bytes) -> None:
        """Take what the relay did not."""
        session.media_received += 1
        if self._passes_on:
            for address in _listeners(session):
                self._outputs.append(SendDatagram(address, data))
                session.media_passed += 1

    def addresses_changed(self, members: Iterable[Session]) -> None:
        """Tell the relay who hears whom, after somebody of a room came, moved or left."""
        if self._relay is None:
            return
        members = list(members)
        for session in members:
            if session.route is not None and session.route.address != session.address:
                close_route(session)
        for session in members:
            if session.route is None and session.address is not None and not session.ended:
                session.route = self._relay.add(session.address)
            if session.route is not None and self._passes_on:
                session.route.set_targets(_listeners(session))


def is_media(data: bytes) -> bool:
    """Whether a datagram looks like RTP or RTCP."""
    return len(data) >= SHORTEST_MEDIA and data[0] & VERSION_BITS == VERSION_2


def close_route(session: Session) -> None:
    """Keep what a route has counted, and let go of it."""
    route, session.route = session.route, None
    if route is not None:
        route.close()
        session.media_received += route.received
        session.media_passed += route.passed


def _listeners(session: Session) -> list[Address]:
    return [
        member.address
        for member in session.others
        if member.address is not None and member.key is not None
    ]
