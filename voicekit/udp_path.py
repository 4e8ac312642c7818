"""The UDP side of a connection: socket, IP discovery, keepalives. Sans-I/O.

    open() -> OpenUdp -> opened() -> discovery, 1 s x 10 -> Discovered
                      -> failed() -> back-off, again     -> PathFailed

A socket that breaks later is opened anew, and our address found anew.
"""

import msgspec

from ._rtp import build_keepalive
from .config import Config
from .discovery import Discovered, DiscoveryFailed, IpDiscovery
from .errors import ConnectFailed
from .outputs import CloseUdp, OpenUdp, SendDatagram

__all__ = ["PathFailed", "PathOutput", "UdpPath"]


class PathFailed(msgspec.Struct, frozen=True):
    """There is no way over UDP; the call can not go on."""

    error: ConnectFailed


PathOutput = OpenUdp | CloseUdp | SendDatagram | Discovered | PathFailed


class UdpPath:
    """One UDP path to the voice server after the other, each under a new ``link``."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._link = 0
        self._ssrc = 0
        self._remote: tuple[str, int] | None = None  # None: nothing wanted
        self._is_open = False
        self._failures = 0
        self._retry_at: float | None = None
        self._discovery: IpDiscovery | None = None
        self._keepalive_at: float | None = None
        self._keepalives = 0
        self._outputs: list[PathOutput] = []

    @property
    def link(self) -> int:
        """The present socket's number."""
        return self._link

    @property
    def is_open(self) -> bool:
        """Whether the socket is open."""
        return self._is_open

    @property
    def is_usable(self) -> bool:
        """Whether audio can go out: the socket is open and our address known."""
        return self._is_open and self._discovery is None

    def poll(self) -> PathOutput | None:
        """Return the next output."""
        return self._outputs.pop(0) if self._outputs else None

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""
        discovery = self._discovery.next_timeout() if self._discovery is not None else None
        times = (self._retry_at, self._keepalive_at, discovery)
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        if self._retry_at is not None and now >= self._retry_at:
            self._dial()
        if self._keepalive_at is not None and now >= self._keepalive_at:
            self.keep_alive(now)
        if self._discovery is not None:
            self._discovery.handle_timeout(now)
            self._take_discovery()

    def open(self, ssrc: int, host: str, port: int) -> None:
        """Ask for a socket to a new session's UDP server."""
        self.close()
        self._ssrc = ssrc
        self._remote = (host, port)
        self._failures = 0
        self._dial()

    def close(self) -> None:
        """Give the path up. Idempotent."""
        if self._remote is not None:
            self._outputs.append(CloseUdp(self._link))
        self._remote = None
        self._forget()

    def opened(self, link: int, now: float) -> bool:
        """Take the news of an open socket; False: it is not the one that is awaited."""
        awaited = self._remote is not None and not self._is_open and self._retry_at is None
        if link != self._link or not awaited:
            return False
        self._is_open = True
        self._discovery = IpDiscovery(self._ssrc, self._config)
        self._discovery.start(now)
        self._take_discovery()
        return True

    def failed(self, link: int, why: str, now: float) -> bool:
        """Take the news of a broken socket; False: it is an old one."""
        if link != self._link or self._remote is None or self._retry_at is not None:
            return False
        self._forget()
        self._failures += 1
        if self._failures >= self._config.max_attempts:
            sentence = f"no UDP socket could be opened to the voice server: {why}"
            self._outputs.append(PathFailed(ConnectFailed(sentence, "udp", self._failures)))
        else:
            pause = self._config.backoff_min * 2 ** (self._failures - 1)
            self._retry_at = now + min(pause, self._config.backoff_max)
        return True

    def receive_datagram(self, data: bytes, now: float) -> bool:
        """Take a datagram if it is the awaited discovery reply; else False."""
        if self._discovery is None or not self._discovery.receive_datagram(data, now):
            return False
        self._take_discovery()
        return True

    def keep_alive(self, now: float) -> None:
        """Send a keepalive at once, then regularly: NATs forget quiet mappings."""
        if self._is_open:
            self._outputs.append(SendDatagram(self._link, build_keepalive(self._keepalives)))
            self._keepalives = (self._keepalives + 1) & 0xFFFF_FFFF
        self._keepalive_at = now + self._config.keepalive_interval

    def _dial(self) -> None:
        assert self._remote is not None
        self._forget()
        if self._failures:
            self._outputs.append(CloseUdp(self._link))
        self._link += 1
        self._outputs.append(OpenUdp(self._link, *self._remote))

    def _forget(self) -> None:
        self._is_open = False
        self._discovery = None
        self._retry_at = self._keepalive_at = None

    def _take_discovery(self) -> None:
        while self._discovery is not None and (found := self._discovery.poll()) is not None:
            match found:
                case Discovered():
                    self._discovery = None
                    self._failures = 0
                    self._outputs.append(found)
                case DiscoveryFailed(attempts):
                    self._discovery = None
                    sentence = (
                        f"no answer over UDP after {attempts} tries:"
                        " a firewall between here and the voice server blocks UDP"
                    )
                    error = ConnectFailed(sentence, "udp_discovery", attempts)
                    self._outputs.append(PathFailed(error))
                case _:
                    self._outputs.append(SendDatagram(self._link, found))
