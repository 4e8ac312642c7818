"""Audio that is pushed: samples as they come, from speech synthesis or a microphone."""

import math
import threading
from fractions import Fraction
from typing import TYPE_CHECKING

from ..._rtp import SAMPLE_RATE
from ...errors import LocalProtocolError, MediaError
from ..pcm import CHANNELS, FRAME_BYTES, FRAME_SECONDS, SAMPLE_BYTES, Reframer
from .encoding import EncoderOptions
from .resampling import Resampler
from .source import AudioSource

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

__all__ = ["PushSource"]

_SILENCE = bytes(FRAME_BYTES)


class PushSource(AudioSource):
    """Push int16 samples in pieces of any length, from any thread; frames of 20 ms come out.

    ``sample_rate`` and ``channels`` (interleaved) are those of what is pushed. At most
    ``capacity`` seconds wait. The first samples come after ``lead_in`` seconds of silence, since
    receivers tend to miss the first syllable. While nothing is there the source gives silence,
    so it keeps its place in time: ask for a frame only when it is due (``live``).
    """

    live = True
    blocking = False

    def __init__(
        self,
        *,
        sample_rate: int = SAMPLE_RATE,
        channels: int = CHANNELS,
        capacity: float = 10.0,
        lead_in: float = 0.2,
        volume: float = 1.0,
        encoder: EncoderOptions | None = None,
    ) -> None:
        super().__init__(volume=volume, encoder=encoder)
        if not 0.02 <= capacity <= 3600:
            raise ValueError(f"capacity is 0.02 to 3600 seconds, not {capacity!r}")
        if not 0 <= lead_in <= 10:
            raise ValueError(f"lead_in is 0 to 10 seconds, not {lead_in!r}")
        self._input = _Input(sample_rate, channels)
        self._capacity = round(capacity * SAMPLE_RATE)
        self._lead_in = math.ceil(lead_in / FRAME_SECONDS - 1e-9)
        self._held = Reframer()
        self._ended = False
        self._changed = threading.Condition()
        #: Frames of silence that were given because nothing was there, the lead-in among them.
        self.silent_frames = 0

    @property
    def buffered(self) -> float:
        """Seconds that wait."""
        return self._held.seconds

    @property
    def room(self) -> int:
        """Bytes that `push` takes now."""
        with self._changed:
            return self._room()

    @property
    def ended(self) -> bool:
        """Whether `end` or `close` was called."""
        return self._ended

    def push(self, pcm: bytes | bytearray | memoryview) -> int:
        """Append samples; return how many bytes were taken, fewer than all when it is full.

        A piece may end in the middle of a sample. Raises `LocalProtocolError` after `end`.
        """
        with self._changed:
            if self._ended:
                raise LocalProtocolError("nothing can be pushed after the end")
            taken = memoryview(pcm).cast("B")[: self._room()]
            self._held.push(self._input.convert(taken))
            return len(taken)

    def wait_for_room(self, size: int, timeout: float | None = None) -> bool:
        """Block until ``size`` bytes find room, at most ``timeout`` seconds. False: they do not.

        For a thread that makes audio faster than it plays. False, too, once it has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._room() >= size, timeout)
            return not self._ended and self._room() >= size

    def end(self) -> None:
        """Say that nothing more comes: what waits is played, then the source is at its end."""
        with self._changed:
            if not self._ended:
                self._ended = True
                self._held.push(self._input.flush())
            self._changed.notify_all()

    def clear(self) -> float:
        """Drop what waits, as when somebody interrupts; return how many seconds that were."""
        with self._changed:
            seconds = self._held.seconds
            self._held.clear()
            self._changed.notify_all()
        return seconds

    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms as samples, silence if there are none; None after the end."""
        with self._changed:
            frame = None
            if self.silent_frames >= self._lead_in:
                frame = self._held.take_rest() if self._ended else self._held.take()
                self._changed.notify_all()
            if frame is None:
                if self._ended and not self._held:
                    return None
                self.silent_frames += 1
                return _SILENCE
            return frame

    @property
    def padding(self) -> int:
        """Bytes of silence with which the last frame was filled up."""
        return self._held.padding

    def close(self) -> None:
        """End it, and drop what waits. Idempotent."""
        super().close()
        self.clear()
        self.end()
        self.clear()

    def _room(self) -> int:
        samples = max(0, self._capacity - len(self._held) // SAMPLE_BYTES)
        return self._input.bytes_for(samples)


class _Input:
    """Whatever is pushed, as samples of ours."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        if not 1000 <= sample_rate <= 768_000:
            raise ValueError(f"sample_rate is 1000 to 768000, not {sample_rate!r}")
        if channels not in (1, 2):
            raise ValueError(f"channels is 1 or 2, not {channels!r}")
        self._sample_rate = sample_rate
        self._layout = "stereo" if channels == 2 else "mono"
        self._sample_bytes = 2 * channels
        self._cut = b""
        self._samples = 0
        same = (sample_rate, channels) == (SAMPLE_RATE, CHANNELS)
        self._resampler = None if same else Resampler()

    def bytes_for(self, samples: int) -> int:
        """Return how much of the input makes so many samples at 48 kHz."""
        size = samples * self._sample_rate // SAMPLE_RATE * self._sample_bytes
        return max(0, size - len(self._cut))

    def convert(self, pcm: memoryview) -> bytes:
        data = self._cut + bytes(pcm)
        whole = len(data) - len(data) % self._sample_bytes
        self._cut = data[whole:]
        data = data[:whole]
        if self._resampler is None or not data:
            return data
        frame = _frame(self._layout, len(data) // self._sample_bytes)
        frame.sample_rate = self._sample_rate
        frame.time_base = Fraction(1, self._sample_rate)
        frame.pts = self._samples
        self._samples += frame.samples
        frame.planes[0].update(data)
        return b"".join(self._resampler.push(frame))

    def flush(self) -> bytes:
        return b"" if self._resampler is None else b"".join(self._resampler.push(None))


def _frame(layout: str, samples: int) -> "AudioFrame":
    try:
        from av.audio.frame import AudioFrame
    except ImportError as error:
        raise MediaError(
            "samples other than 48 kHz stereo need PyAV: pip install 'voicekit[media]'"
        ) from error
    return AudioFrame("s16", layout, samples)
