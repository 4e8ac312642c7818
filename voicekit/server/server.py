"""The loopback voice server without its sockets.

    shell                                  VoiceServer
    ───────────────────────────────────    ─────────────────────────────────────────────
    accepts a WebSocket                 →  websocket_opened(link, path, now)
    a message, a close                  →  receive_text, receive_binary, websocket_closed
    a datagram                          →  receive_datagram(data, address, now)
    next_timeout() is due               →  handle_timeout(now)
    sends, closes                       ←  poll(), until None, after each of these

It never raises on what clients send: it counts, and closes where the protocol says so. Its
parts: `signalling` (WebSocket), `forwarding` (UDP), `judge` (what is wrong with a packet),
`faults` (what is to go wrong), `host` (the main gateway's events), over one `switchboard`.
"""

from random import Random

from ..errors import LocalProtocolError
from .blind import MediaRelay
from .config import ServerConfig
from .faults import Faults
from .forwarding import Forwarding
from .host import Host
from .outputs import ServerEvent, ServerOutput
from .reports import Reporter
from .session import Address, Session
from .signalling import Signalling
from .stats import CallStats, ServerStats, SessionStats
from .switchboard import Switchboard

__all__ = ["VoiceServer"]


class VoiceServer:
    """The core of the loopback voice server. See `voicekit.trio.serve` for its shell.

    ``random`` gives out SSRCs, keys and tokens. The default is the operating system's;
    a seeded generator makes a run repeatable, and its keys worthless. Raises
    `ModeUnavailable` when the settings name a mode that this machine lacks.
    """

    def __init__(self, config: ServerConfig | None = None, *, random: Random | None = None) -> None:
        board = self._board = Switchboard(ServerConfig() if config is None else config, random)
        #: The stand-in for the main gateway: joins, moves, kicks.
        self.host = Host(board)
        #: What can be made to go wrong.
        self.faults = Faults(board, self.host)
        self._forwarding = Forwarding(board)
        self._reporter = Reporter(board, self._forwarding)
        self._signalling = Signalling(board, self._forwarding, self.host, self._established)
        self._running = False

    @property
    def config(self) -> ServerConfig:
        """The settings given."""
        return self._board.config

    def set_udp_address(self, host: str, port: int) -> None:
        """Tell which address clients are given for their media."""
        self._board.udp_address = (host, port)

    @property
    def takes_relay(self) -> bool:
        """Whether media is not opened, so that a relay can have it: see `set_relay`."""
        return self._board.blind is not None

    def set_relay(self, relay: MediaRelay) -> None:
        """Leave media that is not opened to ``relay``. Call it before `start`.

        Raises `LocalProtocolError` when media is opened.
        """
        if self._board.blind is None:
            raise LocalProtocolError('a relay takes ServerConfig(media="count" or "relay")')
        self._board.blind.set_relay(relay)

    # -- input -----------------------------------------------------------------

    def start(self, now: float, wall: float | None = None) -> None:
        """Begin. ``wall`` is Unix time at ``now``, for RTCP sender reports only."""
        self._running = True
        if wall is not None:
            self._reporter.set_wall_clock(now, wall)

    def stop(self, now: float) -> None:
        """Close all sockets (1001) and end all sessions."""
        board = self._board
        self._running = False
        for session in tuple(board.sessions.values()):
            board.dismiss(session, 1001, "the server stops", now)
        for socket in tuple(board.sockets.values()):
            board.close(socket, 1001, "the server stops", now)
        board.timers.clear()

    def websocket_opened(self, link: int, path: str, now: float) -> None:
        """Take an accepted WebSocket; ``path`` is its request target, such as ``/?v=8``.

        ``link`` is any number that no other open WebSocket has.
        """
        if not self._running:
            raise LocalProtocolError("the server is not running: call start(now)")
        if self._board.udp_address is None:
            raise LocalProtocolError("tell clients where to send: call set_udp_address")
        if link in self._board.sockets:
            raise LocalProtocolError(f"link {link} is already open")
        self._signalling.open(link, path, now)

    def receive_text(self, link: int, text: str, now: float) -> None:
        """Take one text message."""
        self._signalling.receive(link, text, now)

    def receive_binary(self, link: int, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take one binary message."""
        self._signalling.receive(link, bytes(data), now)

    def websocket_closed(self, link: int, code: int | None, now: float) -> None:
        """Take note that a WebSocket is closed; ``code`` None: without a close frame."""
        socket = self._board.sockets.get(link)
        if socket is not None:  # else the server closed it
            self._board.lost(socket, code, now)

    def receive_datagram(
        self, data: bytes | bytearray | memoryview, address: Address, now: float
    ) -> None:
        """Take one datagram from ``address`` (host, port)."""
        self._forwarding.receive(bytes(data), (address[0], address[1]), now)

    def datagram_dropped(self, address: Address) -> None:
        """Take note that the shell could not send a datagram to ``address``."""
        session = self._board.by_address.get((address[0], address[1]))
        if session is not None:
            session.dropped_to += 1

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        self._board.timers.run(now)

    # -- output ----------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is wanted next; None: never."""
        return self._board.timers.next_timeout()

    def poll(self) -> ServerOutput | ServerEvent | None:
        """Return the next thing to do or to know; None: no more."""
        outputs = self._board.outputs
        return outputs.popleft() if outputs else None

    def stats(self) -> list[SessionStats]:
        """Return an account of every session, those over first (the newest of them).

        May be called from any thread.
        """
        # The tuple is made in one go: other threads may add sessions meanwhile.
        running = [session.stats() for session in tuple(self._board.sessions.values())]
        return [*self._board.ended, *running]

    def calls(self) -> list[CallStats]:
        """Return an account of every room that is, or could be, end-to-end encrypted."""
        rooms = tuple(self._board.rooms)
        return [room.encryption.stats() for room in rooms if room.encryption is not None]

    def server_stats(self) -> ServerStats:
        """Return an account of what belongs to no session."""
        board = self._board
        return ServerStats(
            sessions=len(board.sessions),
            strangers=board.strangers,
            messages_bad=dict(board.messages_bad),
            datagrams_dropped={str(why): n for why, n in dict(board.datagrams_dropped).items()},
            sockets_refused=board.sockets_refused,
            late_inputs=board.late_inputs,
        )

    def _established(self, session: Session, now: float) -> None:
        if self._board.config.rtcp:
            self._reporter.begin(session, now)
        self.faults.arm(session, now)
