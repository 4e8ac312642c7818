"""The recording half of a voice client: start, pause and stop, as py-cord's users know them."""

import asyncio
import inspect
import logging
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from ..aio import Voice
from ..errors import MediaError, NoSink, NotRecording, RecordingNotConnected
from ..media.recording import Recorder, Track
from ..media.recording.formats import FORMATS
from .audio_sink import open_tracks
from .library import Library

__all__ = ["Recording"]

LOGGER = logging.getLogger("voicekit")

T = TypeVar("T")

Callback = Callable[..., object]


class Recording:
    """At most one recording at a time, into a sink of the library's or one of voicekit's."""

    #: What the library calls things.
    library: ClassVar[Library]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # the library's VoiceProtocol
        # Of the recording under way, to tell its end from that of the one before.
        self._recording: object | None = None
        self._is_recording_paused = False
        # What ends a recording goes on when the call is over, and nobody else holds it.
        self._finishing: set[asyncio.Task[Any]] = set()

    @property
    @abstractmethod
    def voice(self) -> Voice | None:
        """The call."""

    @abstractmethod
    def _in_loop(self, function: Callable[[], T]) -> T:
        """Call it in the event loop, with the library's exceptions."""

    @property
    def recording(self) -> bool:
        """Whether something is being recorded, also when it is paused."""
        return self._recording is not None

    @property
    def paused(self) -> bool:
        """Whether the recording is paused."""
        return self.recording and self._is_recording_paused

    def is_recording(self) -> bool:
        """Whether something is being recorded: `recording`, as py-cord 2.8 calls it."""
        return self.recording

    def start_recording(
        self,
        sink: Any,
        callback: Callback | None = None,
        *args: Any,
        sync_start: bool = False,
    ) -> None:
        """Record what is heard from now on, until `stop_recording` or the end of the call.

        ``sink`` is a sink of the library's, where it has such a thing; or what
        `voicekit.aio.Voice.start_recording` takes: the name of a format, a `Recorder`, a function.
        A sink gets samples in a worker thread, and its ``cleanup`` before the callback. With
        ``sync_start`` every user's audio begins where the recording does, with silence.

        When the recording has ended, the callback is called in the event loop:

        =============================  =============================
        a coroutine function, or args  ``callback(sink, *args)``, and awaited
        another function               ``callback(error)``: what ``cleanup`` raised, or None
        with a sink of voicekit's      ``callback(tracks, *args)``, and awaited if it can be
        =============================  =============================

        Raises the library's exceptions where nothing is connected, something is being recorded
        already, or the sink is none.
        """
        self._in_loop(lambda: self._start_recording(sink, callback, args, sync_start))

    def stop_recording(self) -> None:
        """End the recording; the callback is called as soon as everything is written.

        Raises the library's exception if nothing is being recorded.
        """
        self._in_loop(self._stop_recording)

    def toggle_pause(self) -> None:
        """Pause the recording, or go on. Raises the library's exception if there is none."""

        def toggle() -> None:
            self._is_recording_paused = self._recorded_voice().toggle_pause()

        self._in_loop(toggle)

    # -- behind it ---------------------------------------------------------------------

    def _start_recording(
        self, sink: Any, callback: Callback | None, args: tuple[Any, ...], sync_start: bool
    ) -> None:
        voice = self.voice
        if voice is None or voice.closed is not None:
            raise RecordingNotConnected("not connected to a voice channel: connect first")
        kind = self.library.sink
        is_host_sink = kind is not None and isinstance(sink, kind)
        is_format = isinstance(sink, str) and sink in FORMATS
        if not (is_host_sink or is_format or isinstance(sink, Recorder) or callable(sink)):
            what = "a Recorder" if kind is None else "a Sink, a Recorder"
            raise NoSink(f"{sink!r} is no format ({', '.join(FORMATS)}), {what} or a function")
        opened: Any = open_tracks(sink) if is_host_sink else sink
        report = _clean_up if is_host_sink else _report_tracks
        token = object()

        def ended(tracks: list[Track]) -> None:
            if self._recording is token:
                self._recording = None
            # The call waits for its recordings for a moment only: FFmpeg may take longer.
            self._run(report(tracks, sink, callback, args))

        voice.start_recording(opened, ended, sync_start=sync_start)
        self._recording = token
        self._is_recording_paused = False
        if is_host_sink:
            sink.init(self)  # may start a timer, which stops the recording

    def _stop_recording(self) -> None:
        ending = self._recorded_voice().end_recording()
        self._recording = None
        self._run(ending)

    def _recorded_voice(self) -> Voice:
        voice = self.voice
        if voice is None or self._recording is None:
            raise NotRecording("nothing is being recorded: call start_recording first")
        return voice

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)


async def _clean_up(
    tracks: list[Track], sink: Any, callback: Callback | None, args: tuple[Any, ...]
) -> None:
    """Have a sink of the library's finish its files, and call back."""
    failures = (MediaError(track.error) for track in tracks if track.error is not None)
    error: Exception | None = next(failures, None)
    try:
        await asyncio.to_thread(sink.cleanup)
    except Exception as failure:
        error = failure
    if error is not None:
        LOGGER.error("the sink of a recording failed", exc_info=error)
    takes_sink = bool(args) or inspect.iscoroutinefunction(callback)
    await _call_back(callback, *((sink, *args) if takes_sink else (error,)))


async def _report_tracks(
    tracks: list[Track], sink: Any, callback: Callback | None, args: tuple[Any, ...]
) -> None:
    await _call_back(callback, tracks, *args)


async def _call_back(callback: Callback | None, *args: Any) -> None:
    try:
        result = None if callback is None else callback(*args)
        if inspect.isawaitable(result):
            await result
    except Exception:
        LOGGER.exception("the callback of a recording failed")
