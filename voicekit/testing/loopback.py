"""The real voice server, on real sockets of this machine, in a thread of its own.

For tests of anything that speaks the protocol, in any style: synchronous, asyncio, trio.
"""

import concurrent.futures
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import trio

from voicekit.server import ServerConfig, SessionStats, VoiceServer
from voicekit.server_info import VoiceServerInfo
from voicekit.trio import Listening, serve

__all__ = ["LoopbackServer"]

#: Starting takes milliseconds; stopping at most a second, which the shell gives its clients.
PATIENCE = 10.0

_Answer = TypeVar("_Answer")


class LoopbackServer:
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
        #: The sans-I/O core. `stats` may be read from anywhere; for all else, see `call`.
        self.server = VoiceServer(config)
        #: What the server has reported, oldest first: `voicekit.server.ServerEvent`.
        self.events: list[object] = []
        self._host = host
        self._ssl_context = ssl_context
        self._started: concurrent.futures.Future[Listening] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="voice server", daemon=True)
        self._scope: trio.CancelScope
        self._token: trio.lowlevel.TrioToken

    def __repr__(self) -> str:
        running = self._thread.is_alive() and self._started.done()
        return f"<LoopbackServer {self.url if running else 'not running'}>"

    # -- life ---------------------------------------------------------------------

    def start(self) -> Self:
        """Start and wait until it listens. Raises `OSError` when it can not."""
        self._thread.start()
        self._started.result(PATIENCE)
        return self

    def stop(self) -> None:
        """Close everything properly and wait for it. Does nothing when it has stopped."""
        if not self._thread.is_alive():
            return
        try:
            self._token.run_sync_soon(self._scope.cancel)
        except trio.RunFinishedError:
            pass
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise RuntimeError(f"the voice server does not stop within {PATIENCE} s")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- where it is ----------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """``host:port`` of the WebSocket."""
        return self._listening.endpoint

    @property
    def url(self) -> str:
        """The endpoint with its scheme, which every client understands."""
        return self._listening.url

    @property
    def udp_port(self) -> int:
        """The port that takes audio."""
        return self._listening.udp_port

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

        ``voice_server.call(lambda server, now: server.faults.close(4015, now))``
        """
        answer: concurrent.futures.Future[_Answer] = concurrent.futures.Future()

        def run() -> None:
            try:
                result = function(self.server, trio.current_time())
                self._listening.drain()
            except BaseException as error:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        self._token.run_sync_soon(run)
        return answer.result(PATIENCE)

    def stats(self) -> list[SessionStats]:
        """Return an account of every session so far."""
        return self.server.stats()

    # -- inside ------------------------------------------------------------------------

    @property
    def _listening(self) -> Listening:
        if not self._started.done():
            raise RuntimeError("the voice server is not running: call start()")
        return self._started.result()

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            await serve(
                self.server,
                self._host,
                ssl_context=self._ssl_context,
                handle_event=self.events.append,
                task_status=_Starting(self._started),
            )


class _Starting(trio.TaskStatus[Any]):
    """What `trio.Nursery.start` would be given, for a nursery of one."""

    def __init__(self, started: concurrent.futures.Future[Listening]) -> None:
        self._started = started

    def started(self, value: Any = None) -> None:
        """Note that the server listens."""
        self._started.set_result(value)
