"""`connect`: one voice call in one block."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from ..config import Config
from ..connection import VoiceConnection
from ..dave import DaveSession
from ..driver.call import FINISH_TIMEOUT, LEAVE_TIMEOUT
from ..driver.playing import PlayingCall
from ..pacer import Pacer
from ..server_info import VoiceServerInfo
from .driver import Driver
from .loop import LOOP
from .network import Network
from .player import Player
from .pump import beside
from .streams import STREAMS

__all__ = ["Voice", "connect"]


@asynccontextmanager
async def connect(
    info: VoiceServerInfo,
    *,
    config: Config | None = None,
    ssl_context: ssl.SSLContext | None = None,
    dave: DaveSession | None = None,
    dave_identity: bytes | None = None,
    wait_ready: bool = True,
    network: Network | None = None,
    pacer: Pacer | None = None,
) -> AsyncIterator["Voice"]:
    """Join a call for the length of the block.

    The block begins when audio can be sent, or with ``wait_ready=False`` at once: for hosts
    that have updates to hand in while the call is being established. Its end leaves the
    call: five silence frames, Speaking 0, close 1000, for at most a second even when
    cancelled; afterwards no task runs and no socket is open.

    ``ssl_context`` is for ``wss://``; by default the system's certificates are trusted.
    ``dave_identity`` is a persistent key of end-to-end encryption (`voicekit.dave`); without
    it each call has one of its own. ``pacer`` sends what is played; by default the one of this
    process, whose thread starts with the first `Voice.play`.

    Raises `ConnectFailed`, or the `CallClosed` of the close code, when there is no call.
    What the block itself raises comes out as it is, never in an exception group.
    """
    connection = VoiceConnection(info, config=config, dave=dave, dave_identity=dave_identity)
    voice = Voice(connection, ssl_context, network or Network(), pacer)
    async with beside(voice._driver.run):
        try:
            await voice._driver.started.wait()
            if wait_ready:
                await voice._enter()
            yield voice
        finally:
            await voice._close()


class Voice(PlayingCall):
    """One call: what `connect` gives. Its methods belong to one thread, as all of trio's do."""

    loop = LOOP
    streams = STREAMS
    _player_type = Player
    _driver: Driver

    def __init__(
        self,
        connection: VoiceConnection,
        ssl_context: ssl.SSLContext | None,
        network: Network,
        pacer: Pacer | None,
    ) -> None:
        super().__init__(connection, pacer)
        self._driver = Driver(connection, network, ssl_context, self._handle_event, self._hear)

    async def aclose(self) -> None:
        """Leave the call, within a second even when cancelled. Idempotent."""
        await self._close()
        await trio.lowlevel.checkpoint()

    @trio.lowlevel.enable_ki_protection
    async def _close(self) -> None:
        with trio.CancelScope(shield=True):
            with trio.move_on_after(LEAVE_TIMEOUT):
                await self._driver.started.wait()
                if not self._driver.finished.is_set():
                    await self._leave()
            with trio.move_on_after(FINISH_TIMEOUT):
                await self._finish_recording()
            self._driver.scope.cancel()
            await self._driver.finished.wait()
