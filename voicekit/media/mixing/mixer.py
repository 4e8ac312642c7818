"""Several sources at once: `Mixer`, itself a source."""

import threading
from collections import deque
from collections.abc import Callable, Collection

import msgspec

from ...errors import LocalProtocolError
from .._mix import Bus, level
from ..sources.encoding import EncoderOptions
from ..sources.source import AudioSource
from .ducking import Ducking
from .input import SILENCE, MixerInput

__all__ = ["InputEnded", "Mixer"]

#: Ends and failures that wait; of more the oldest are dropped: nobody asks for them.
_ENDS_KEPT = 1000
#: Frames for which an input that comes is waited for by those that come with it: 0.2 s.
_PATIENCE = 10


class InputEnded(msgspec.Struct, frozen=True):
    """A source in a mixer has come to its end, or failed."""

    input: MixerInput
    error: Exception | None


class Mixer(AudioSource):
    """Mixes sources that come and go while it plays; each has its volume, and may duck others.

    It is asked for a frame when that is due (``live``), so what is added or changed is heard at
    once. Sources belong to it once they were added: it closes them when they end or are removed.
    One that fails ends, and `poll` tells why, as a player does (`SourceFailed`); the others go on.

    Without a source it is at its end, or with ``keep_open`` gives silence until `close`. A sum
    that passes full scale is bent softly; below that nothing is changed.

    It waits for each source that it reads. A player has threads read those that may block ahead
    (`read_ahead_by`); then one that stalls is silent until it has a few frames, and goes on where
    it stopped.
    """

    live = True

    def __init__(
        self,
        *sources: AudioSource,
        keep_open: bool = False,
        ducking: Ducking | None = None,
        volume: float = 1.0,
        encoder: EncoderOptions | None = None,
    ) -> None:
        super().__init__(volume=volume, encoder=encoder)
        #: Whether it gives silence while there is nothing to mix, rather than end.
        self.keep_open = keep_open
        self._ducking = Ducking() if ducking is None else ducking
        self._inputs: tuple[MixerInput, ...] = ()
        self._changing = threading.Lock()  # only for the tuple: nobody waits for a source
        self._mixing = threading.Lock()  # while sources are read, which may take long
        self._ends: deque[InputEnded] = deque(maxlen=_ENDS_KEPT)
        self._failures: deque[tuple[AudioSource, Exception]] = deque(maxlen=_ENDS_KEPT)
        self._stalls: deque[AudioSource] = deque(maxlen=_ENDS_KEPT)
        self._reader: object | None = None
        self._wake: Callable[[], object] | None = None
        self._within: Mixer | None = None
        self._bus = Bus()
        for source in sources:
            self.add(source)

    @property
    def inputs(self) -> tuple[MixerInput, ...]:
        """What it mixes now, in the order in which it was added."""
        return self._inputs

    def add(
        self,
        source: AudioSource,
        *,
        volume: float = 1.0,
        ducks: bool | Collection[MixerInput] = False,
    ) -> MixerInput:
        """Have a source heard from the next frame on; one that is read ahead, once a few are there.

        Any thread.

        ``ducks``: whom it lowers while it is heard, as the mixer's ``ducking`` says: True for
        all that duck nobody themselves, whenever they are added, or some inputs.

        Raises `LocalProtocolError` after `close`, or if the source is in it already, or is it.
        """
        added = MixerInput(source, volume, ducks, self._ducking)
        with self._changing:
            if self._closed:
                raise LocalProtocolError("nothing can be added to a mixer that was closed")
            if source is self:
                raise LocalProtocolError("a mixer can not be in itself")
            if any(input.source is source for input in self._inputs):
                raise LocalProtocolError("this source is in the mixer already")
            if isinstance(source, Mixer):
                source._within = self
            self._inputs = (*self._inputs, added)
        self._has_changed()
        return added

    def remove(self, input: MixerInput) -> None:
        """Have an input fade out within the next frame, and close its source. Any thread.

        Nothing happens if it is not in it (any more).
        """
        input._removed = True
        self._has_changed()

    def poll(self) -> InputEnded | None:
        """Return the next source that came to its end or failed; None: no more did so far."""
        return self._ends.popleft() if self._ends else None

    def take_failure(self) -> tuple[AudioSource, Exception] | None:
        """Return the next source that failed, and why: what a player reports. Else None."""
        return self._failures.popleft() if self._failures else None

    def take_stall(self) -> AudioSource | None:
        """Return the next source that had no frame when one was due; else None. As above."""
        return self._stalls.popleft() if self._stalls else None

    # -- inputs that are read ahead: for who plays it ---------------------------------------

    def read_ahead_by(self, reader: object, wake: Callable[[], object]) -> bool:
        """Have ``reader`` read `inputs_to_read`, until `release`; False: somebody else does.

        From then on the mixer waits for none of them. ``wake`` is called, by whatever thread, when
        sources have come or gone.
        """
        with self._changing:
            if self._reader is None:
                self._reader, self._wake = reader, wake
            return self._reader is reader

    def release(self, reader: object) -> None:
        """Take note that ``reader`` reads no more. Nothing happens if it did not."""
        with self._changing:
            if self._reader is reader:
                self._reader = self._wake = None

    @property
    def inputs_to_read(self) -> list[MixerInput]:
        """Those that are to be read ahead, those of mixers in this one among them."""
        found = [input for input in self._inputs if input.may_stall and not input.is_read]
        return found + [input for mixer in self._mixers for input in mixer.inputs_to_read]

    @property
    def is_gathering(self) -> bool:
        """Whether inputs that begin together are not there yet, and not long waited for."""
        return any(
            not input._is_ready and input._waited < _PATIENCE for input in self._away
        ) or any(mixer.is_gathering for mixer in self._mixers)

    @property
    def is_waiting(self) -> bool:
        """Whether `next_pcm` would have nothing but silence, for all that is in it has stalled."""
        inputs = self._inputs
        if self.keep_open or not (inputs and self._is_read_ahead):
            return False
        return all(
            input.source.is_waiting
            if isinstance(input.source, Mixer)
            else input.may_stall and not input._is_ready
            for input in inputs
        )

    @property
    def _is_read_ahead(self) -> bool:
        within = self._within
        return self._reader is not None or (within is not None and within._is_read_ahead)

    def _has_changed(self) -> None:
        wake, within = self._wake, self._within
        if wake is not None:
            wake()
        if within is not None:
            within._has_changed()

    @property
    def _mixers(self) -> list["Mixer"]:
        return [input.source for input in self._inputs if isinstance(input.source, Mixer)]

    @property
    def _away(self) -> list[MixerInput]:
        """Those that are to begin, or to go on, once they have a headstart."""
        return [input for input in self._inputs if input.may_stall and not input._plays]

    def _arrange(self) -> None:
        """Go on without what has nothing; have what has a headstart begin.

        What came together begins together: they may be parts of one piece of music.
        """
        for input in self._inputs:
            if input.may_stall and input._plays and not input._is_ready:
                input._stall()
                input._waited = _PATIENCE
                self._stalls.append(input.source)
        away = self._away
        if all(input._is_ready or input._waited >= _PATIENCE for input in away):
            for input in away:
                if input._is_ready:
                    input._begin()
        for input in away:
            input._waited += 1

    # -- the mix ---------------------------------------------------------------------------

    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms of the mix, its volume not applied; None at the end."""
        with self._mixing:
            pcm = self._mix()
        if self._closed:
            self._end_all()
        return pcm

    def _mix(self) -> bytes | None:
        is_read_ahead = self._is_read_ahead
        if is_read_ahead:
            self._arrange()
        inputs = self._inputs
        frames = [
            (input, pcm) for input in inputs if (pcm := input._next(is_read_ahead)) is not None
        ]
        speakers = [
            input
            for input, pcm in frames
            if input.ducks and input._voicing.hear(level(pcm) * input.volume)
        ]
        for input, pcm in frames:
            ducked = any(input._is_ducked_by(speaker) for speaker in speakers)
            gain = 0.0 if input._removed else input.volume * input._ducker.move(ducked)
            self._bus.add(pcm, input._gain, gain)
            input._gain = gain
        going_on = {input for input, _ in frames if not input._removed}
        if len(going_on) < len(inputs):
            self._drop([input for input in inputs if input not in going_on])
        if frames:
            return self._bus.take()
        return SILENCE if self.keep_open or self._inputs else None

    def close(self) -> None:
        """End it, and close all that is in it. Idempotent.

        Any thread: while another reads, that one closes what is in it when it is done.
        """
        with self._changing:
            super().close()
        self._end_all()
        self._has_changed()

    def _end_all(self) -> None:
        if not self._mixing.acquire(blocking=False):
            return
        try:
            with self._changing:
                inputs, self._inputs = self._inputs, ()
            for input in inputs:
                input._end()
        finally:
            self._mixing.release()

    def _drop(self, ended: list[MixerInput]) -> None:
        with self._changing:
            self._inputs = tuple(input for input in self._inputs if input not in ended)
        for input in ended:
            input._end()
            if not input._removed or input.error is not None:
                self._ends.append(InputEnded(input, input.error))
            if input.error is not None:
                self._failures.append((input.source, input.error))
