"""`connect` and `open`: one voice call."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ..config import Config
from ..connection import VoiceConnection
from ..dave import DaveSession
from ..driver.call import FINISH_TIMEOUT
from ..driver.playing import PlayingCall
from ..errors import CallClosed
from ..events import Closed
from ..pacer import Pacer
from ..server_info import VoiceServerInfo
from .driver import Driver
from .loop import LOOP
from .network import Network
from .player import Player
from .pump import outlast
from .streams import STREAMS

__all__ = ["Voice", "connect", "open"]


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
    What the block itself raises comes out as it is; a bug of voicekit's cancels it, and comes
    out bare.
    """
    block = asyncio.current_task()
    assert block is not None
    voice = await open(
        info,
        config=config,
        ssl_context=ssl_context,
        dave=dave,
        dave_identity=dave_identity,
        wait_ready=False,
        network=network,
        pacer=pacer,
    )
    bug: BaseException | None = None

    def cancel(over: asyncio.Future[None]) -> None:
        nonlocal bug
        if inside and not over.cancelled() and (bug := over.exception()) is not None:
            block.cancel()

    inside = True
    voice._driver.over.add_done_callback(cancel)
    try:
        if wait_ready:
            await voice._enter()
        yield voice
    finally:
        inside = False
        try:
            await voice.aclose()
        except asyncio.CancelledError:
            # Ours, when the block has not waited for anything since; or somebody else's.
            if bug is None or block.cancelling() > 1:
                raise
            raise bug from None
        finally:
            if bug is not None:
                block.uncancel()


async def open(
    info: VoiceServerInfo,
    *,
    config: Config | None = None,
    ssl_context: ssl.SSLContext | None = None,
    dave: DaveSession | None = None,
    dave_identity: bytes | None = None,
    wait_ready: bool = True,
    network: Network | None = None,
    pacer: Pacer | None = None,
) -> "Voice":
    """Join a call until `Voice.aclose`: as `connect`, for those who can not use a block.

    Where that is never called, the call is left when `asyncio.run` cancels what still runs.
    A bug of voicekit's closes the call, and is raised by `Voice.aclose`.
    """
    connection = VoiceConnection(info, config=config, dave=dave, dave_identity=dave_identity)
    voice = Voice(connection, ssl_context, network or Network(), pacer)
    if wait_ready:
        try:
            await voice._enter()
        except BaseException:
            await voice.aclose()
            raise
    return voice


class Voice(PlayingCall):
    """One call: what `connect` and `open` give. Its methods belong to the thread of its loop."""

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
        self._driver.begin()
        self._task = asyncio.get_running_loop().create_task(self._live())

    async def aclose(self) -> None:
        """Leave the call, within a second even when cancelled. Idempotent."""
        self._driver.check_caller()
        if self._task.done():
            await self.loop.checkpoint()
        else:
            self._driver.end()
            await outlast(self._task)
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error

    async def _live(self) -> None:
        """The task of the call. Asked to end, or cancelled with its event loop, it leaves."""
        driver = self._driver
        try:
            try:
                await driver.over
            except Exception as bug:
                self._end_by(bug)
                raise
            finally:
                if not driver.has_failed:
                    await self._leave()
                with suppress(TimeoutError):  # a disk that stands still
                    async with asyncio.timeout(FINISH_TIMEOUT):
                        await self._finish_recording()
        finally:
            await driver.close()

    def _end_by(self, bug: Exception) -> None:
        if self.closed is None:
            why = f"a bug of voicekit's: {bug!r}"
            self._handle_event(Closed(None, None, why, CallClosed(why)))
