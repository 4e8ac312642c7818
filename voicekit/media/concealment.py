"""From what a jitter buffer pops to PCM: frames decoded, holes filled.

A hole is filled with what the packet behind it repeats of it (in-band FEC), or else with what the
decoder makes up (PLC, packet loss concealment).
"""

import array
from typing import Protocol

from .._jitter import Lost
from .._rtp import SAMPLE_RATE, opus_duration
from ..opus_packet import opus_has_fec

__all__ = ["Concealer", "Repeating"]

#: How long the decoder may make something up: 0.2 s. Any longer it is noise; then comes silence.
LONGEST_MADE_UP = SAMPLE_RATE // 5
#: What a decoder makes up is a multiple of 2.5 ms.
STEP = SAMPLE_RATE // 400
#: It is made in pieces of 20 ms; the last fades out.
FADE = SAMPLE_RATE // 50


class Repeating(Protocol):
    """What is needed of an `AudioFrame`."""

    @property
    def sequence(self) -> int:
        """Extended RTP sequence number."""

    @property
    def opus(self) -> bytes:
        """The Opus packet."""


class Concealer:
    """Decode one stream of frames and `Lost` to int16 PCM at 48 kHz, channels interleaved.

    ``recovered``, ``made_up`` and ``muted`` count the samples (per channel) of holes by what
    they were filled with. Raises `OpusNotFound` where there is no libopus.
    """

    def __init__(self, *, channels: int = 2) -> None:
        from ..opus import Decoder  # loads libopus: only for who decodes

        self._decoder = Decoder(SAMPLE_RATE, channels)
        self._width = 2 * channels
        self._made_up_in_a_row = 0
        self.recovered = 0
        self.made_up = 0
        self.muted = 0

    def decode(self, item: Repeating | Lost, following: Repeating | None = None) -> bytes:
        """Return the PCM of what `JitterBuffer.pop` returned.

        ``following`` is what `JitterBuffer.peek` returns then. A frame that is no Opus, or
        damaged, is concealed. Of `Lost` come ``conceal`` samples: none if it is in the past.
        """
        if isinstance(item, Lost):
            return self._fill(item, following)
        from ..opus import OpusError

        try:
            pcm = self._decoder.decode(item.opus)
        except OpusError:
            return self.conceal(opus_duration(item.opus))
        self._made_up_in_a_row = 0
        return pcm

    def conceal(self, samples: int) -> bytes:
        """Return ``samples`` that stand in for what is not there, such as a frame that is late."""
        pcm = bytearray()
        wanted = samples * self._width
        while len(pcm) < wanted and self._made_up_in_a_row < LONGEST_MADE_UP:
            missing = (wanted - len(pcm)) // self._width
            left = LONGEST_MADE_UP - self._made_up_in_a_row
            size = min(-(-missing // STEP) * STEP, left, FADE)
            piece = self._decoder.decode(None, frame_size=size)
            self._made_up_in_a_row += size
            pcm += _faded(piece) if size == left else piece
        made_up = min(len(pcm), wanted) // self._width
        self.made_up += made_up
        self.muted += samples - made_up
        return bytes(pcm[:wanted]).ljust(wanted, b"\0")

    def _fill(self, lost: Lost, following: Repeating | None) -> bytes:
        each = lost.duration // lost.packets
        if (
            following is None
            or following.sequence != lost.sequence + lost.packets
            or not each <= lost.conceal
            or each % STEP
            or not opus_has_fec(following.opus)
        ):
            return self.conceal(lost.conceal)
        before = self.conceal(lost.conceal - each)
        repeated = self._decoder.decode(following.opus, fec=True, frame_size=each)
        self.recovered += each
        self._made_up_in_a_row = 0
        return before + repeated


def _faded(pcm: bytes) -> "array.array[int]":
    samples = array.array("h", pcm)
    length = len(samples)
    return array.array("h", [value * (length - n) // length for n, value in enumerate(samples)])
