"""Several sources at once: `Mixer`, itself a source."""

import threading
from collections import deque
from collections.abc import Collection

import msgspec

from ...errors import LocalProtocolError
from .._mix import Bus, level
from ..pcm import FRAME_BYTES
from ..sources.encoding import EncoderOptions
from ..sources.source import AudioSource, checked_volume
from .ducking import Ducker, Ducking, Voicing

__all__ = ["InputEnded", "Mixer", "MixerInput"]

_SILENCE = bytes(FRAME_BYTES)
#: Ends and failures that wait; of more the oldest are dropped: nobody asks for them.
_ENDS_KEPT = 1000


class MixerInput:
    """One source in a `Mixer`; `Mixer.add` makes it. Any thread may set what can be set."""

    def __init__(
        self,
        source: AudioSource,
        volume: float,
        ducks: "bool | Collection[MixerInput]",
        ducking: Ducking,
    ) -> None:
        #: What plays.
        self.source = source
        #: Whom it ducks while it is heard: True for all that duck nobody, or some of the others.
        self.ducks = ducks
        #: Whether it plays no more: at its end, failed, removed, or the mixer was closed.
        self.ended = False
        #: Why it failed, if it did.
        self.error: Exception | None = None
        self._volume = checked_volume(volume)
        self._removed = False
        self._gain = self._volume  # with which the last frame ended
        self._ducker = Ducker(ducking)
        self._voicing = Voicing(ducking)

    def __repr__(self) -> str:
        return f"<MixerInput {self.source!r} at {self._volume:g}>"

    @property
    def volume(self) -> float:
        """Loudness in the mix as a factor, beside that of the source; see `AudioSource.volume`."""
        return self._volume

    @volume.setter
    def volume(self, value: float) -> None:
        self._volume = checked_volume(value)

    def _read(self) -> bytes | None:
        """Return the next frame; None: there is no more, see `error`."""
        try:
            pcm = self.source.read_pcm()
            if pcm is not None and len(pcm) != FRAME_BYTES:
                raise ValueError(f"a frame has {FRAME_BYTES} bytes, not {len(pcm)}")
        except Exception as error:  # anybody's source: the others go on
            self.error = error
            return None
        return pcm

    def _is_ducked_by(self, speaker: "MixerInput") -> bool:
        if isinstance(speaker.ducks, bool):
            return speaker.ducks and not self.ducks
        return self in speaker.ducks

    def _end(self) -> None:
        self.ended = True
        try:
            self.source.close()
        except Exception as error:
            self.error = self.error or error


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
        """Have a source heard from the next frame on. Any thread.

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
            self._inputs = (*self._inputs, added)
        return added

    def remove(self, input: MixerInput) -> None:
        """Have an input fade out within the next frame, and close its source. Any thread.

        Nothing happens if it is not in it (any more).
        """
        input._removed = True

    def poll(self) -> InputEnded | None:
        """Return the next source that came to its end or failed; None: no more did so far."""
        return self._ends.popleft() if self._ends else None

    def take_failure(self) -> tuple[AudioSource, Exception] | None:
        """Return the next source that failed, and why: what a player reports. Else None."""
        return self._failures.popleft() if self._failures else None

    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms of the mix, its volume not applied; None at the end."""
        with self._mixing:
            pcm = self._mix()
        if self._closed:
            self._end_all()
        return pcm

    def _mix(self) -> bytes | None:
        inputs = self._inputs
        frames = [(input, pcm) for input in inputs if (pcm := input._read()) is not None]
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
        return _SILENCE if self.keep_open or self._inputs else None

    def close(self) -> None:
        """End it, and close all that is in it. Idempotent.

        Any thread: while another reads, that one closes what is in it when it is done.
        """
        with self._changing:
            super().close()
        self._end_all()

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
