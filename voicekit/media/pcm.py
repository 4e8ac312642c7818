"""PCM as it goes around here: frames of 20 ms, 48 kHz, stereo, int16 in the machine's order."""

from .._rtp import SAMPLE_RATE

__all__ = ["CHANNELS", "FRAME_BYTES", "FRAME_SAMPLES", "FRAME_SECONDS", "SAMPLE_BYTES", "Reframer"]

CHANNELS = 2
#: 20 ms at 48 kHz, what Discord's own clients send.
FRAME_SAMPLES = 960
FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
#: One sample of both channels.
SAMPLE_BYTES = 2 * CHANNELS
FRAME_BYTES = FRAME_SAMPLES * SAMPLE_BYTES


class Reframer:
    """Samples in, in pieces of any length; frames of 20 ms out."""

    def __init__(self) -> None:
        #: Bytes of silence at the end of the frame that was taken last.
        self.padding = 0
        self._held = bytearray()

    def __len__(self) -> int:
        """Bytes that wait."""
        return len(self._held)

    @property
    def seconds(self) -> float:
        """Seconds that wait."""
        return len(self._held) / SAMPLE_BYTES / SAMPLE_RATE

    def push(self, pcm: bytes | bytearray | memoryview) -> None:
        """Append samples; they are copied."""
        self._held += pcm

    def take(self) -> bytes | None:
        """Return the next frame, or None if there is not enough for one."""
        if len(self._held) < FRAME_BYTES:
            return None
        frame = bytes(memoryview(self._held)[:FRAME_BYTES])
        del self._held[:FRAME_BYTES]
        self.padding = 0
        return frame

    def take_rest(self) -> bytes | None:
        """Return what waits, filled with silence to a whole frame; None if nothing does."""
        if not self._held or (frame := self.take()) is None:
            self.padding = FRAME_BYTES - len(self._held) if self._held else 0
            frame = bytes(self._held).ljust(FRAME_BYTES, b"\0") if self._held else None
            self._held.clear()
        return frame

    def clear(self) -> None:
        """Forget what waits."""
        self._held.clear()
