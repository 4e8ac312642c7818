"""Files as sources: position, seeking, loops, normalised loudness; decoded by FFmpeg."""

import abc
from collections.abc import Mapping

from ...errors import MediaError
from .._loudness import LoudnessMeter
from ..pcm import FRAME_SECONDS, Reframer
from .audio_file import AudioFile
from .decoding import Decoding
from .encoding import EncoderOptions
from .loudness import normalising_gain
from .source import AudioSource, Medium, checked_seconds

__all__ = ["DecodedSource", "FileSource", "nothing_in"]


class FileSource(AudioSource):
    """What `open_source` returns: a source with places to go to."""

    def __init__(
        self, medium: Medium, *, loop: bool | int, volume: float, encoder: EncoderOptions
    ) -> None:
        super().__init__(volume=volume, encoder=encoder)
        #: The file, for messages.
        self.name = medium.name
        #: How often it begins again at the end: a number that counts down, or True for ever.
        self.loop = loop
        self._medium = medium
        self._place = 0.0  # seconds, of the last jump
        self._frames_since = 0

    @property
    def position(self) -> float:
        """Seconds from the beginning of the file to the next frame."""
        return max(0.0, self._place + self._frames_since * FRAME_SECONDS)

    @property
    def duration(self) -> float | None:
        """Length in seconds, as the file says; None where it does not."""
        return self._medium.duration

    @property
    def metadata(self) -> Mapping[str, str]:
        """Tags of the file, with their names in lower case."""
        return self._medium.metadata

    @property
    def seekable(self) -> bool:
        """Whether `seek` and `loop` may work: not on pipes."""
        return self._medium.seekable

    def seek(self, seconds: float) -> None:
        """Go to a moment of the file; beyond its end the source is at its end.

        To the sample where it is decoded (to the millisecond where the container counts in
        those: Matroska, WMA), to the packet where its Opus passes untouched: `position` says.
        Raises ``ValueError`` for a moment that is none, `MediaError` if it can not.
        """
        seconds = checked_seconds(seconds, "seconds")
        if not self.seekable:
            raise MediaError(f"{self.name} can not be sought: it is read as it comes")
        if self._closed:
            return
        self._forget()
        self._go_to(seconds)
        if self._encoder is not None:
            self._encoder.reset()

    @abc.abstractmethod
    def _jump(self, seconds: float) -> float:
        """Have the file read from there; return where that is. Raises `MediaError`."""

    @abc.abstractmethod
    def _forget(self) -> None:
        """Drop what was read and not played."""

    def _go_to(self, seconds: float) -> None:
        self._place = self._jump(seconds)
        self._frames_since = 0

    def _begin_again(self, held: float) -> bool:
        """At the end: whether a loop leads on. ``held``: seconds before it that still wait."""
        if not self.loop or not self.seekable:
            return False
        if self.position + held <= 0:  # nothing in it: it would go round for ever
            return False
        if self.loop is not True:
            self.loop -= 1
        self._go_to(0.0)
        self._place -= held
        return True

    def _begin(self, start: float, normalize: float | None) -> None:
        """Go where it starts; before that, listen to all of it if its loudness is asked for."""
        if normalize is not None:
            meter = LoudnessMeter()
            loop, self.loop = self.loop, False
            while (pcm := self.next_pcm()) is not None:
                meter.push(pcm)
            self.loop = loop
            self._fixed_gain = normalising_gain(meter.integrated, meter.peak, normalize)
            self._applied = self._gain
        if start or normalize is not None:
            self._forget()
            self._go_to(start)


class DecodedSource(FileSource):
    """A file that FFmpeg decodes. The first samples are read at once: a bad file shows early.

    ``measure``: whether ``normalize`` listens to all of it before, or goes along.
    """

    def __init__(
        self,
        file: AudioFile,
        *,
        start: float = 0.0,
        loop: bool | int = False,
        volume: float = 1.0,
        encoder: EncoderOptions,
        normalize: float | None = None,
        measure: bool = True,
    ) -> None:
        super().__init__(file, loop=loop, volume=volume, encoder=encoder)
        self._file = file
        self._decoding = Decoding(file, None if measure else normalize)
        self._frames = Reframer()
        if start and not self.seekable:  # listened through
            self._go_to(start)
            start = 0.0
        if not self._fill():
            raise nothing_in(self.name)
        self._begin(start, normalize if measure else None)
        self._open_encoder()

    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms as samples, the volume not applied; None at the end."""
        while (frame := self._frames.take()) is None:
            if not self._fill() and not self._begin_again(self._frames.seconds):
                frame = self._frames.take_rest()
                break
        if frame is not None:
            self._frames_since += 1
        return frame

    @property
    def padding(self) -> int:
        """Bytes of silence with which the last frame of `next_pcm` was filled up."""
        return self._frames.padding

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        super().close()
        self._forget()
        self._decoding.close()
        self._file.close()

    def _jump(self, seconds: float) -> float:
        self._decoding.seek(seconds)
        return seconds

    def _forget(self) -> None:
        self._frames.clear()

    def _fill(self) -> bool:
        """Read some more; False at the end."""
        piece = self._decoding.read()
        if piece is None:
            return False
        self._frames.push(piece)
        return True


def nothing_in(name: str) -> MediaError:
    """Return the error for a file without audio."""
    return MediaError(f"{name} holds no audio that can be decoded: it is damaged")
