"""`MainGateway`: what a bot logs in to, on real sockets of this machine, in a thread.

One thread holds the main gateway, its REST interface and the voice servers behind them.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import trio

from voicekit.server import (
    HostVoiceServer,
    HostVoiceState,
    ServerConfig,
    SessionStats,
    VoiceServer,
)
from voicekit.testing.main.http import BadRequest, RequestReader, Response
from voicekit.testing.main.machine import HEARTBEAT_INTERVAL, MainServer, MemberEvent
from voicekit.testing.main.rest import Rest
from voicekit.testing.main.world import World
from voicekit.testing.thread import ServerThread
from voicekit.trio import Listening, Network, serve
from voicekit.trio.pump import beside
from voicekit.trio.websocket_server import WebSocketServer

__all__ = ["MainGateway"]

READ_SIZE = 1 << 16
#: Where the REST interface has its routes; libraries want a version in it.
REST_PATH = "/api/v10"

_Answer = TypeVar("_Answer")


class MainGateway(ServerThread["_Shell"]):
    """A main gateway with its REST interface and its voice servers, from `start` to `stop`.

    Fill `world` before or with `call`: users, bots with their tokens, guilds, channels. A
    library that is told `rest_url` (and `gateway_url`, where it does not ask) logs in, and its
    op 4 gets it into calls on `voice_servers`, of which there are as many as ``regions``.
    """

    def __init__(
        self,
        voice: ServerConfig | None = None,
        *,
        regions: int = 2,
        host: str = "127.0.0.1",
        ssl_context: ssl.SSLContext | None = None,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
    ) -> None:
        super().__init__("main gateway")
        #: Who and what there is.
        self.world = World()
        #: The cores of the voice servers; their statistics may be read from anywhere.
        self.voice_servers = [VoiceServer(voice) for _ in range(regions)]
        #: The core of the gateway; see `call`.
        self.server = MainServer(
            self.world, self.voice_servers, heartbeat_interval=heartbeat_interval
        )
        self.rest = Rest(self.server)
        #: What the voice servers have reported, oldest first: `voicekit.server.ServerEvent`.
        self.events: list[object] = []
        self._host = host
        self._ssl_context = ssl_context
        self._member_calls: dict[int, Callable[[MemberEvent], object]] = {}

    def __repr__(self) -> str:
        return f"<MainGateway {self.gateway_url if self.is_running else 'not running'}>"

    @property
    def gateway_url(self) -> str:
        """Where the gateway's WebSocket is: ``ws://…``."""
        return self._running.gateway_url

    @property
    def rest_url(self) -> str:
        """What REST requests begin with, version and all: ``http://…/api/v10``."""
        return self._running.rest_url

    def call(self, function: Callable[[MainServer, float], _Answer]) -> _Answer:
        """Run ``function(server, now)`` in the gateway's thread and do what comes of it.

        ``gateway.call(lambda server, now: server.drop(now))``
        """

        def run() -> _Answer:
            self._running.catch_up()
            result = function(self.server, trio.current_time())
            self._running.drain()
            return result

        return self._run_sync(run)

    def stats(self) -> list[list[SessionStats]]:
        """Return each voice server's account of its sessions, with every datagram sent so far."""

        def read() -> list[list[SessionStats]]:
            return [server.stats() for server in self.voice_servers]

        if self.is_running:
            with suppress(RuntimeError):  # it stops just now: then nothing is counted any more
                return self.call(lambda server, now: read())
        return read()

    # -- inside -----------------------------------------------------------------------

    async def _serve(self, started: trio.TaskStatus["_Shell"]) -> None:
        sockets = Network()
        gateway = await sockets.listen(self._host, 0)
        try:
            rest = await sockets.listen(self._host, 0)
            try:
                shell = _Shell(self, gateway, rest)
                listening = trio.Event()
                async with beside(partial(self._serve_voice, shell, listening)):
                    await listening.wait()
                    await self._serve_main(shell, started)
            finally:
                _close(rest)
        finally:
            _close(gateway)

    async def _serve_main(self, shell: "_Shell", started: trio.TaskStatus["_Shell"]) -> None:
        async with beside(shell.run):
            try:
                await shell.started.wait()
                started.started(shell)
                await trio.sleep_forever()
            finally:
                await shell.stop()

    async def _serve_voice(self, shell: "_Shell", listening: trio.Event) -> None:
        async with trio.open_nursery() as nursery:
            for server in self.voice_servers:
                run = partial(
                    serve,
                    server,
                    self._host,
                    ssl_context=self._ssl_context,
                    handle_event=shell.take_voice_event,
                )
                shell.voice.append(await nursery.start(run))
            listening.set()


class _Shell(WebSocketServer):
    """The sockets and the clock of one main gateway, beside those of its voice servers."""

    def __init__(
        self,
        owner: MainGateway,
        gateway: list[trio.SocketListener],
        rest: list[trio.SocketListener],
    ) -> None:
        super().__init__(owner.server, self._take_member_event, gateway)
        self.voice: list[Listening] = []
        self._owner = owner
        self._rest_listeners = rest
        self.gateway_url = f"ws://{_address(gateway)}"
        self.rest_url = f"http://{_address(rest)}{REST_PATH}"
        owner.server.url = owner.rest.gateway_url = self.gateway_url

    def _start(self, now: float) -> None:
        super()._start(now)
        self._nursery.start_soon(trio.serve_listeners, self._answer_requests, self._rest_listeners)

    def catch_up(self) -> None:
        """Have the voice servers count what was sent to them before the gateway's next word."""
        for listening in self.voice:
            listening.catch_up()

    def drain(self) -> None:
        """Carry out what the gateway asks for, and what it has asked of the voice servers."""
        super().drain()
        for listening in self.voice:
            listening.drain()

    def take_voice_event(self, event: object) -> None:
        """Take what a voice server reports. Its own shell is in the middle of a drain."""
        if isinstance(event, HostVoiceState | HostVoiceServer):
            self._owner.server.take_host_event(event, trio.current_time())
            super().drain()
        else:
            self._owner.events.append(event)

    def _take_member_event(self, event: MemberEvent) -> None:
        call = self._owner._member_calls.get(event.user_id)
        if call is not None:
            call(event)

    async def _answer_requests(self, stream: trio.SocketStream) -> None:
        reader = RequestReader()
        try:
            while data := await stream.receive_some(READ_SIZE):
                reader.feed(data)
                while (request := reader.next_request()) is not None:
                    response = self._owner.rest.answer(request, trio.current_time())
                    self.drain()
                    await stream.send_all(response.encode())
                    if not request.keeps_alive:
                        return
        except BadRequest as error:
            with trio.move_on_after(1.0):
                await stream.send_all(Response(400, {"message": str(error), "code": 0}).encode())
        except trio.BrokenResourceError:
            pass  # the client has gone: its business


def _close(listeners: list[trio.SocketListener]) -> None:
    for listener in listeners:
        listener.socket.close()


def _address(listeners: list[trio.SocketListener]) -> str:
    host, port = listeners[0].socket.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
