"""Where a track goes: the `Sink` Protocol, and how one that fails is kept from the others."""

import contextlib
from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from ...errors import MediaError

__all__ = ["GuardedSink", "OpenSink", "PcmWriter", "ReceivedFrame", "Sink"]


class ReceivedFrame(Protocol):
    """What is needed of an `AudioFrame`."""

    @property
    def user_id(self) -> int:
        """Who speaks."""

    @property
    def ssrc(self) -> int:
        """Which RTP stream it came in."""

    @property
    def opus(self) -> bytes:
        """The Opus packet."""

    @property
    def sequence(self) -> int:
        """Extended RTP sequence number."""

    @property
    def rtp_time(self) -> int:
        """Extended RTP timestamp, 48 kHz."""

    @property
    def e2ee(self) -> bool:
        """Whether it came with end-to-end encryption."""

    @property
    def arrived(self) -> float:
        """When it came, in seconds on any one clock."""


class Sink(Protocol):
    """Where one track goes: `OggOpusWriter`, `WavWriter`, or your own.

    Two more methods are used where they are: ``flush()`` brings everything so far to the disk;
    ``shift(samples)`` makes what comes next so much later (or earlier), inaudibly.
    """

    @property
    def samples(self) -> int:
        """Length so far, in samples at 48 kHz."""

    def write(self, opus: bytes) -> None:
        """Append one packet."""

    def conceal(self, samples: int, following: bytes = b"") -> None:
        """Stand in for lost packets. ``following`` is the one behind them, which may repeat."""

    def pause(self, samples: int) -> None:
        """Let time pass in which nothing was sent."""

    def close(self) -> None:
        """Finish the file."""


class PcmWriter(Protocol):
    """A file of decoded audio: stereo int16 samples at 48 kHz."""

    @property
    def samples(self) -> int:
        """Length so far."""

    def append(self, pcm: bytes | memoryview) -> None:
        """Append interleaved samples."""

    def silence(self, samples: int) -> None:
        """Append silence."""

    def flush(self) -> None:
        """Bring everything so far to the disk."""

    def close(self) -> None:
        """Finish the file. Idempotent."""


T = TypeVar("T")

#: Makes the sink of a user.
OpenSink: TypeAlias = Callable[[int], Sink]


class GuardedSink:
    """A sink that can fail only by itself: afterwards it takes everything and keeps nothing."""

    @classmethod
    def open(cls, opener: Callable[[], Sink]) -> "GuardedSink":
        """Guard a sink that may fail from the beginning."""
        try:
            return cls(opener())
        except Exception as error:
            failed = cls(_Nowhere())
            failed._fail(error)
            return failed

    def __init__(self, sink: Sink) -> None:
        self.error: MediaError | None = None
        self._sink = sink
        self._flush: Callable[[], None] | None = getattr(sink, "flush", None)
        self._shift: Callable[[int], None] | None = getattr(sink, "shift", None)
        self._samples = 0
        #: Whether silence is work: it is written as it passes then, not when it is over.
        self.encodes_silence: bool = getattr(sink, "encodes_silence", False)

    @property
    def can_shift(self) -> bool:
        """Whether its samples can be moved without being heard."""
        return self._shift is not None

    @property
    def samples(self) -> int:
        """Length so far; of one that failed, up to there."""
        if self.error is None:
            self._samples = self._guard(lambda: self._sink.samples, self._samples)
        return self._samples

    def write(self, opus: bytes) -> None:
        """Append one packet."""
        if self.error is None:
            try:
                self._sink.write(opus)
            except Exception as error:
                self._fail(error)

    def conceal(self, samples: int, following: bytes) -> None:
        """Stand in for lost packets."""
        self._guard(lambda: self._sink.conceal(samples, following), None)

    def pause(self, samples: int) -> None:
        """Let time pass."""
        self._guard(lambda: self._sink.pause(samples), None)

    def shift(self, samples: int) -> None:
        """Move what comes next."""
        shift = self._shift
        if shift is not None:
            self._guard(lambda: shift(samples), None)

    def flush(self) -> None:
        """Bring everything so far to the disk."""
        if self._flush is not None:
            self._guard(self._flush, None)

    def close(self) -> None:
        """Finish the file, also one that failed: what it has is kept."""
        _ = self.samples
        try:
            self._sink.close()
        except Exception as error:
            self._fail(error)

    def _guard(self, call: Callable[[], T], otherwise: T) -> T:
        if self.error is None:
            try:
                return call()
            except Exception as error:
                self._fail(error)
        return otherwise

    def _fail(self, error: Exception) -> None:
        if self.error is None:
            with contextlib.suppress(Exception):
                self._samples = self._sink.samples
            if isinstance(error, MediaError):
                self.error = error
            else:
                why = str(error) or type(error).__name__
                self.error = MediaError(f"the sink failed: {why}")
                self.error.__cause__ = error


class _Nowhere:
    """In place of a sink that could not be opened."""

    samples = 0

    def write(self, opus: bytes) -> None:
        pass

    def conceal(self, samples: int, following: bytes = b"") -> None:
        pass

    def pause(self, samples: int) -> None:
        pass

    def close(self) -> None:
        pass
