"""The half of a player that has its sources read ahead: a task for each that may block.

Tracks, and what a mixer among them mixes. Each is read in a worker thread, a batch at a time.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from ..errors import PlaybackError
from ..media import MixerInput
from ..media.player import Engine, Track
from .loop import Loop

if TYPE_CHECKING:
    from .playing import PlayingCall

__all__ = ["ReadingEngine"]

#: Seconds after which a source that gives nothing has failed. URLs give up after 10, and say why.
STALL_TIMEOUT = 15.0
#: Seconds for which sources in a mixer wait for each other, to begin together.
GATHERING = 0.2


class ReadingEngine(Engine):
    """The engine of a player whose tracks are read in tasks beside the call."""

    _loop: ClassVar[Loop]

    def __init__(self, call: "PlayingCall") -> None:
        super().__init__()
        self._call = call
        self._has_readers = False  # most calls only pass packets on
        self._reading = self._loop.waiting()
        self._read_tracks: list[Track] = []
        self._reading_inputs = self._loop.waiting()
        self._read_inputs: list[tuple[Track, MixerInput]] = []

    def _have_read(self, track: Track) -> None:
        """See to it that a track is read; called often."""
        if track not in self._read_tracks:
            self._read_tracks.append(track)
            track.watch(self._volume_was_set)
            if track.is_blocking:
                self._has_readers = True
                self._call._driver.run_beside(self._read, track)
        self._admit_inputs(track)

    def _admit_inputs(self, track: Track) -> None:
        """See to it that what may block in a mixer is read ahead, unless another call does."""
        mixer = track.mixer
        if mixer is None or not (
            track.is_blocking and mixer.read_ahead_by(track, self._inputs_have_changed)
        ):
            return
        for input in mixer.inputs_to_read:
            if (track, input) not in self._read_inputs:
                self._read_inputs.append((track, input))
                self._call._driver.run_beside(self._read_input, track, input)

    def _dismiss(self, track: Track) -> None:
        if track.mixer is not None:
            track.mixer.release(track)
            self._reading_inputs.unpark_all()
        if track in self._read_tracks:
            self._read_tracks.remove(track)
            if track.is_blocking and self._reading:
                self._reading.unpark_all()
        if not track.is_blocking:
            track.close()

    def _wake_readers(self) -> None:
        """Have read what is to be read: whenever something has changed."""
        if self._reading and self._is_hungry:
            self._reading.unpark_all()
        if self._reading_inputs and any(
            input.is_read or input.wants(input.ahead // 2) for _, input in self._read_inputs
        ):
            self._reading_inputs.unpark_all()

    def _volume_was_set(self) -> None:
        """A source's volume was set, by whatever thread."""
        self._call_soon(self._render_anew)

    def _render_anew(self) -> None:
        self._take_back()
        self._go_on()

    def _inputs_have_changed(self) -> None:
        """Sources have come into a mixer or gone, by whatever thread."""
        self._call_soon(self.serve)

    # -- the tasks -------------------------------------------------------------------------

    async def _read(self, track: Track) -> None:
        try:
            await self._gather(track)
            while track.reason is None:
                ahead = self.wants(track)
                if track.wants(ahead):
                    await self._read_batch(track, ahead)
                else:
                    await self._reading.park()
            await self._in_thread(track.close)
        finally:
            track.close()  # when cancelled; a thread that reads just now does it itself

    async def _gather(self, track: Track) -> None:
        """Wait until what is to begin together in a mixer can."""
        until = self._loop.now() + GATHERING
        while (
            track.reason is None
            and track.mixer is not None
            and track.mixer.is_gathering
            and self._loop.now() < until
        ):
            await self._reading.park_until(until)

    async def _read_input(self, track: Track, input: MixerInput) -> None:
        try:
            while track.reason is None and not input.is_read:
                if input.wants():
                    await self._read_batch(input, input.ahead)
                else:
                    await self._reading_inputs.park()
        finally:
            self._read_inputs.remove((track, input))

    async def _read_batch(self, read: Track | MixerInput, ahead: int) -> None:
        patience = math.inf if read.is_live else STALL_TIMEOUT
        if not await self._in_thread(partial(read.read, ahead), patience):
            read.fail(PlaybackError(f"{read.name} gave nothing for {STALL_TIMEOUT:g} s"))
        self.serve()

    # -- of the event loop -----------------------------------------------------------------

    @abstractmethod
    async def _in_thread(
        self,
        act: Callable[[], object],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> bool:
        """Do something that may block; False: after ``patience`` seconds it was left alone.

        With patience it is left alone when cancelled, too; without it is waited for.
        """

    @abstractmethod
    def _call_soon(self, act: Callable[[], object]) -> None:
        """Do something in the event loop; any thread."""
