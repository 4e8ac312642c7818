"""The real voice server, on real sockets of this machine, in a thread of its own.

For tests of anything that speaks the protocol, in any style: synchronous, asyncio, trio.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import trio

from voicekit.server import ServerConfig, SessionStats, VoiceServer
from voicekit.server_info import VoiceServerInfo
from voicekit.testing.thread import ServerThread
from voicekit.trio import Listening, serve

__all__ = ["LoopbackServer"]

_Answer = TypeVar("_Answer")


class LoopbackServer(ServerThread[Listening]):
    """A voice server that runs from `start` to `stop`, or inside of ``with``.

    Methods and attributes may be used from any thread, inside or outside of event loops.
    """

    def __init__(
        self,
        config: ServerConfig | None = None,
        *,
        host: str = "127.0.0.1",
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__("voice server")
        #: The sans-I/O core. `stats` may be read from anywhere; for all else, see `call`.
        self.server = VoiceServer(config)
        #: What the server has reported, oldest first: `voicekit.server.ServerEvent`.
        self.events: list[object] = []
        self._host = host
        self._ssl_context = ssl_context

    def __repr__(self) -> str:
        return f"<LoopbackServer {self.url if self.is_running else 'not running'}>"

    # -- where it is ----------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """``host:port`` of the WebSocket."""
        return self._running.endpoint

    @property
    def url(self) -> str:
        """The endpoint with its scheme, which every client understands."""
        return self._running.url

    @property
    def udp_port(self) -> int:
        """The port that takes audio."""
        return self._running.udp_port

    def info(
        self, user_id: int = 1, *, server_id: int = 1000, channel_id: int = 2000
    ) -> VoiceServerInfo:
        """Return what a client of ``user_id`` connects with."""
        return VoiceServerInfo(
            endpoint=self.url,
            server_id=server_id,
            channel_id=channel_id,
            user_id=user_id,
            session_id=f"session-{user_id}",
            token=self.server.config.token or "any token",
        )

    # -- what it does -----------------------------------------------------------------

    def call(self, function: Callable[[VoiceServer, float], _Answer]) -> _Answer:
        """Run ``function(server, now)`` in the server's thread and do what comes of it.

        What was sent to the server before is counted before.

        ``voice_server.call(lambda server, now: server.faults.close(4015, now))``
        """

        def run() -> _Answer:
            self._running.catch_up()
            result = function(self.server, trio.current_time())
            self._running.drain()
            return result

        return self._run_sync(run)

    def stats(self) -> list[SessionStats]:
        """Return an account of every session so far, with every datagram sent so far."""
        if self.is_running:
            with suppress(RuntimeError):  # it stops just now: then nothing is counted any more
                return self.call(lambda server, now: server.stats())
        return self.server.stats()

    # -- inside ------------------------------------------------------------------------

    async def _serve(self, started: trio.TaskStatus[Listening]) -> None:
        await serve(
            self.server,
            self._host,
            ssl_context=self._ssl_context,
            handle_event=self.events.append,
            task_status=started,
        )
