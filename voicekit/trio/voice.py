"""`connect`: one voice call in one block."""

import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

import trio

from ..config import Config
from ..connection import VoiceConnection
from ..dave import DaveSession
from ..driver.call import FINISH_TIMEOUT, LEAVE_TIMEOUT, Call
from ..errors import LocalProtocolError
from ..media import Frames, open_source
from ..pacer import Histogram, LatePolicy, Pacer, Stream, process_pacer
from ..server_info import VoiceServerInfo
from .driver import Driver
from .loop import LOOP
from .network import Network
from .playout import Playout
from .pump import beside
from .streams import STREAMS

__all__ = ["Voice", "connect"]

#: What is queued in the pacer, in seconds: five frames are enough for an event loop that is
#: busy for some tens of milliseconds.
RING = 0.1


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
            if wait_ready:
                await voice._enter()
            yield voice
        finally:
            await voice._close()


class _Options(TypedDict):
    """Of `Voice.play`."""

    ring: float
    late: LatePolicy
    progress: Callable[[float], object] | None


class Voice(Call):
    """One call: what `connect` gives. Its methods belong to one thread, as all of trio's do."""

    loop = LOOP
    streams = STREAMS
    _driver: Driver

    def __init__(
        self,
        connection: VoiceConnection,
        ssl_context: ssl.SSLContext | None,
        network: Network,
        pacer: Pacer | None,
    ) -> None:
        super().__init__(connection)
        self._driver = Driver(connection, network, ssl_context, self._handle_event, self._hear)
        self._own_pacer = pacer
        self._playout: Playout | None = None
        # Of what was played before, stream by stream.
        self._lateness = Histogram()
        self._frames_played = 0
        self._frames_unsent = 0
        self._playing = False

    # -- our own audio -------------------------------------------------------------

    async def play(
        self,
        source: Frames | str | os.PathLike[str],
        *,
        ring: float = RING,
        late: LatePolicy = LatePolicy.REBASE,
        progress: Callable[[float], object] | None = None,
    ) -> None:
        """Play ``source``, a file or an open `voicekit.media.Source`, to its end.

        Returns after the five frames of silence. While a session is being made anew it
        pauses, and loses nothing; nor does it begin before the others' encryption takes us
        in, for 5 s at most. ``progress`` is called with the seconds played so far, some ten
        times a second. A source is read in a worker thread, at most a second ahead; a file is
        closed at the end, a `Source` that you opened is yours to close.

        Frames are sent by the pacer, in a thread that needs no Python: ``ring`` seconds of
        them (up to 1.0) are ready there, for as long as your program may compute without
        pause. A source that has none in time is heard as silence. ``late`` says what becomes
        of frames that leave late all the same.

        Cancelling ends the audio within a frame, then sends the silence. Raises `MediaError`
        for what cannot be read, `LocalProtocolError` while something else is being played,
        and what the call ended with when it ends before the source does.
        """
        if self._playing:
            raise LocalProtocolError("something is being played already: wait for its end")
        self._playing = True
        options: _Options = {"ring": ring, "late": late, "progress": progress}
        try:
            if isinstance(source, (str, os.PathLike)):
                await self._play_file(source, options)
            else:
                await self._play(source, options)
        finally:
            self._playing = False

    @property
    def frames_played(self) -> int:
        """Frames that `play` has sent."""
        stream = self._stream
        return self._frames_played + (0 if stream is None else stream.sent)

    def lateness(self) -> dict[str, float]:
        """Return how late `play` sent its frames, in milliseconds: ``p50``, ``p99``, ``max``."""
        measured = Histogram()
        measured.merge(self._lateness)
        if (stream := self._stream) is not None:
            measured.merge(stream._lateness)
        late = measured.read()
        return {
            "p50": round(late.p50 * 1000, 3),
            "p99": round(late.p99 * 1000, 3),
            "max": round(late.max * 1000, 3),
        }

    @property
    def datagrams_unsent(self) -> int:
        """Datagrams that the operating system did not take: its buffer was full."""
        stream = self._stream
        unsent = 0 if stream is None else stream.stats().unsent
        return super().datagrams_unsent + self._frames_unsent + unsent

    async def aclose(self) -> None:
        """Leave the call, within a second even when cancelled. Idempotent."""
        await self._close()
        await trio.lowlevel.checkpoint()

    # -- behind it ---------------------------------------------------------------------

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

    async def _play_file(self, path: str | os.PathLike[str], options: "_Options") -> None:
        source = await trio.to_thread.run_sync(open_source, path)
        try:
            await self._play(source, options)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(source.close)

    async def _play(self, source: Frames, options: "_Options") -> None:
        self._playout = Playout(self, source, **options)
        try:
            await self._playout.run()
        finally:
            self._playout = None
            self._changed.unpark_all()

    @property
    def _pacer(self) -> Pacer:
        return self._own_pacer or process_pacer()

    @property
    def _is_playing_out(self) -> bool:
        return self._playout is not None

    @property
    def _stream(self) -> Stream | None:
        return None if self._playout is None else self._playout.stream

    def _note_played(self, stream: Stream) -> None:
        """Add up what a stream has counted that is not used any more."""
        stats = stream.stats()
        self._lateness.merge(stream._lateness)
        self._frames_played += stats.frames
        self._frames_unsent += stats.unsent
