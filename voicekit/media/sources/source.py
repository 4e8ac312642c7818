"""What all sources share: frames of 20 ms as Opus or as samples, volume, encoder."""

import abc
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from .._gain import amplify
from .encoding import EncoderOptions

if TYPE_CHECKING:
    from ...opus import Encoder

__all__ = ["AudioSource", "Frames", "Medium", "Source"]


class Frames(Protocol):
    """What playing needs of a source; every `Source` is one.

    With an attribute ``blocking = False`` it promises that `read` returns at once.
    """

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end."""


class Source(Protocol):
    """Something that plays: the least that a class of your own needs."""

    @property
    def duration(self) -> float | None:
        """Length in seconds, as the file says; None where it does not."""

    @property
    def passthrough(self) -> bool:
        """Whether the frames are the file's own Opus, not encoded anew."""

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end."""

    def close(self) -> None:
        """Let go of the file. Idempotent."""


class Medium(Protocol):
    """What is known of a file whose audio plays, before any of it is read."""

    #: The file, for messages.
    name: str

    @property
    def duration(self) -> float | None:
        """Length in seconds; None if unknown."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Tags, with their names in lower case."""

    @property
    def seekable(self) -> bool:
        """Whether it can be read from another place on: not on pipes."""


class AudioSource(abc.ABC):
    """A source of 20 ms frames; subclasses say where the samples come from (`next_pcm`).

    `read` and `read_pcm` take from one position: use either. Any thread may use a source, one
    at a time; `volume` may be set, and `report_loss` called, by another meanwhile.
    """

    #: Whether to ask for each frame only when it is due: reading ahead would only add delay.
    live = False
    #: Whether `read` may wait: for a disk, a network or an encoder.
    blocking = True

    def __init__(
        self, *, volume: float = 1.0, encoder: EncoderOptions | None = None, gain: float = 1.0
    ) -> None:
        self._options = EncoderOptions() if encoder is None else encoder
        self._encoder: Encoder | None = None
        self._reported_loss = 0.0
        self._volume = checked_volume(volume)
        self._fixed_gain = gain
        self._applied = self._gain
        self._closed = False
        #: Called, by whoever sets it, after the volume has changed: the player's.
        self._volume_changed: Callable[[], object] | None = None

    @property
    def duration(self) -> float | None:
        """Length in seconds; None if unknown."""
        return None

    @property
    def passthrough(self) -> bool:
        """Whether the frames are Opus as it came, not encoded anew."""
        return False

    @property
    def volume(self) -> float:
        """Loudness as a factor, 1 for as it is; takes effect with the next frame.

        Any finite value from 0 on, else ``ValueError``. It moves within one frame, so that it
        does not click; what would pass full scale is bent smoothly, not cut.
        """
        return self._volume

    @volume.setter
    def volume(self, value: float) -> None:
        self._volume = checked_volume(value)
        if self._volume_changed is not None:
            self._volume_changed()

    @property
    def gain(self) -> float:
        """The factor that its samples get: volume and normalisation."""
        return self._gain

    @property
    def encoder_options(self) -> EncoderOptions:
        """How it encodes. May be set while it plays, all but the application (`ValueError`)."""
        return self._options

    @encoder_options.setter
    def encoder_options(self, options: EncoderOptions) -> None:
        if self._encoder is not None:
            if options.application != self._options.application:
                raise ValueError("the application of a running encoder can not be changed")
            options.apply(self._encoder)
        self._options = options
        self.report_loss(self._reported_loss)

    def report_loss(self, fraction: float) -> None:
        """Tell the encoder what receivers report (RTCP), 0 to 1; see `EncoderOptions`."""
        loss = self._options.loss_to_expect(fraction)
        self._reported_loss = fraction
        if self._encoder is not None:
            self._encoder.packet_loss_perc = loss

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end. Raises `MediaError`."""
        pcm = self.read_pcm()
        return None if pcm is None else self._open_encoder().encode(pcm)

    def read_pcm(self) -> bytes | None:
        """Return the next 20 ms as samples, or None at the end. Raises `MediaError`.

        3840 bytes: 48 kHz, stereo, int16 in the machine's order, the volume applied.
        """
        pcm = None if self._closed else self.next_pcm()
        return None if pcm is None else self._at_volume(pcm)

    def _at_volume(self, pcm: bytes) -> bytes:
        """Return what `next_pcm` gave, as loud as it is to be now. In order, each once."""
        before, self._applied = self._applied, self._gain
        if before == self._applied == 1:
            return pcm
        return amplify(pcm, before, self._applied)

    @abc.abstractmethod
    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms as samples, the volume not applied; None at the end."""

    def next_packet(self) -> bytes | None:
        """Return the next 20 ms as the Opus that they came in, the volume not applied.

        None where there is no such packet: `next_pcm` has the samples, or the end.
        """
        return None

    @property
    def padding(self) -> int:
        """Bytes of silence with which the last frame of `next_pcm` was filled up."""
        return 0

    def close(self) -> None:
        """Let go of what is read. Idempotent; afterwards the source is at its end."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def _gain(self) -> float:
        return self._volume * self._fixed_gain

    def _open_encoder(self) -> "Encoder":
        if self._encoder is None:
            self._encoder = self._options.make()
            self._encoder.packet_loss_perc = self._options.loss_to_expect(self._reported_loss)
        return self._encoder


def checked_volume(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"volume is a finite number of at least 0, not {value!r}")
    return float(value)


def checked_seconds(seconds: float, name: str) -> float:
    """Return a moment in a source. Raises ``ValueError`` if it is none."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{name} is a finite number of seconds of at least 0, not {seconds!r}")
    return float(seconds)
