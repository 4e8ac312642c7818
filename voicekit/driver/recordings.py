"""Recording a call: the half of `Voice` that writes. Files never hold the call up.

A task of the call looks ten times a second for what came, and has it written in a worker thread,
one at a time: whatever a disk or an encoder takes, the event loop does not wait for it.
"""

import inspect
import io
import logging
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import cached_property
from pathlib import Path
from typing import Any

from ..media.recording import CallRecording, OpenSink, Recorder, RunningRecording, Track
from ..media.recording.running import WORK_INTERVAL
from .ears import Ears
from .streams import error_of

__all__ = ["Recordings", "record"]

LOGGER = logging.getLogger("voicekit")


class Recordings(Ears):
    """Recordings of one call, at most one at a time, as Pycord and interactions.py have them."""

    def __init__(self) -> None:
        super().__init__()
        self._ended = self.loop.waiting()

    @cached_property
    def _recording(self) -> CallRecording:
        return CallRecording(self._can_record)

    @property
    def is_recording(self) -> bool:
        """Whether a recording is under way, also a paused one."""
        return self._recording.is_recording

    @property
    def recordings(self) -> dict[int | None, Path | io.BytesIO]:
        """Files of the recording under way, or of the last one, by user; None is the mix.

        Those in memory are complete after `stop_recording`.
        """
        return self._recording.recordings

    def start_recording(
        self,
        sink: Recorder | OpenSink | str,
        callback: Callable[..., object] | None = None,
        *args: object,
        users: Collection[int] | None = None,
        sync_start: bool = False,
    ) -> Recorder:
        """Record what is received from now on, until `stop_recording` or the end of the block.

        ``sink`` is a format by name (in memory: `recordings`), a function that makes a `Sink` for
        a user, or a `Recorder` of your own, which keeps its own settings. ``users`` are those to
        record; None: everybody. With ``sync_start`` later users begin with silence.

        When the recording has ended, ``callback(tracks, *args)`` is called in this event loop,
        and awaited where it is a coroutine function. What it raises is logged.

        Raises `RecordingNotConnected`, `AlreadyRecording` and `NoSink`.
        """
        self._check_caller()
        recorder = self._recording.start_recording(
            sink,
            callback,
            *args,
            users=users,
            sync_start=sync_start,
            now=self.loop.now(),
            wall=time.time(),
        )
        running = self._recording.running
        assert running is not None
        self._add(running)
        self._run_beside(self._keep_writing, running)
        return recorder

    def pause_recording(self) -> None:
        """Leave out what comes; its time stays, as silence. Idempotent. Raises `NotRecording`."""
        self._recording.pause(self.loop.now())

    def resume_recording(self) -> None:
        """Go on after `pause_recording`. Idempotent. Raises `NotRecording`."""
        self._recording.resume(self.loop.now())

    def toggle_pause(self) -> bool:
        """Pause the recording or go on; return whether it is paused now. Raises `NotRecording`."""
        return self._recording.toggle_pause(self.loop.now())

    async def stop_recording(self) -> list[Track]:
        """Finish all files, call the callback, and describe the tracks. Raises `NotRecording`.

        When cancelled, the files are finished all the same, and no callback is called.
        """
        return await self.end_recording()

    def end_recording(self) -> Coroutine[Any, Any, list[Track]]:
        """End the recording now; what is returned does the rest of `stop_recording`.

        For callers that can not wait, but may begin another one at once. Raises `NotRecording`.
        """
        self._check_caller()
        running, callback = self._recording.detach()
        self._forget_listener(running)
        self._ended.unpark_all()
        return self._finish(running, callback)

    async def record_into(
        self, recorder: Recorder, progress: Callable[[float], object] | None = None
    ) -> None:
        """Record into ``recorder`` until the call ends, or until cancelled; leave it open.

        ``progress`` is called with the seconds so far. Raises what the call failed with.
        """
        began = self.loop.now()
        running = self._add(RunningRecording(recorder))
        try:
            while not running.is_over:
                await self._write_now_and_then(running)
                if progress is not None:
                    progress(self.loop.now() - began)
        finally:
            self._forget_listener(running)
            running.work(self.loop.now())  # what came since
        if self.closed is not None and self.closed.error is not None:
            raise error_of(self.closed)

    # -- behind it ---------------------------------------------------------------------

    @abstractmethod
    def _can_record(self) -> bool:
        """Return whether there is a call, and nobody is leaving it."""

    @abstractmethod
    def _run_beside(self, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run a task until the call is left."""

    async def _finish(
        self, running: RunningRecording, callback: Callable[[list[Track]], object] | None
    ) -> list[Track]:
        tracks = await self.loop.in_thread(running.finish)
        if callback is not None:
            try:
                result = callback(tracks)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                LOGGER.exception("the callback of a recording failed")
        return tracks

    async def _keep_writing(self, running: RunningRecording) -> None:
        over = False
        while not over:
            over = running.is_over  # once more for what came last
            await self._write_now_and_then(running)

    async def _write_now_and_then(self, running: RunningRecording) -> None:
        await self._ended.park_until(self.loop.now() + WORK_INTERVAL)
        await self.loop.in_thread(running.work, self.loop.now())

    async def _finish_recording(self) -> None:
        """End the recording, if there is one, as the call is left."""
        if self.is_recording:
            await self.stop_recording()


async def record(
    voice: Recordings, recorder: Recorder, *, progress: Callable[[float], object] | None = None
) -> None:
    """Write what is received, until the call ends. To end before it, cancel.

    ``recorder`` stays open, and keeps what it has: close it. It is written to in a worker thread.
    ``progress`` is called with the seconds so far. Raises what the call failed with.
    """
    await voice.record_into(recorder, progress)
