"""The ``Sink`` of a host library, as what a recording is written into."""

from functools import partial
from typing import Any

from .._rtp import SAMPLE_RATE
from ..media.pcm import SAMPLE_BYTES
from ..media.recording.decoding import DecodedSink
from ..media.recording.sink import OpenSink

__all__ = ["open_tracks"]


def open_tracks(sink: Any) -> OpenSink:
    """Return what makes the track of a user: all of them go into ``sink``, a py-cord ``Sink``.

    Its ``write(pcm, user_id)`` gets samples (48 kHz, stereo, int16), lost ones concealed and
    pauses filled with silence, in a worker thread.
    """

    def open_track(user_id: int) -> DecodedSink:
        return DecodedSink(_HostTrack(sink, user_id))

    return open_track


class _HostTrack:
    """A `PcmWriter` that writes into a sink of many users."""

    def __init__(self, sink: Any, user_id: int) -> None:
        self._write = partial(_write, sink, user_id)
        self._samples = 0

    @property
    def samples(self) -> int:
        return self._samples

    def append(self, pcm: bytes | memoryview) -> None:
        self._write(bytes(pcm))
        self._samples += len(pcm) // SAMPLE_BYTES

    def silence(self, samples: int) -> None:
        while samples > 0:  # a second at a time: a pause may be of hours
            step = min(samples, SAMPLE_RATE)
            self.append(bytes(step * SAMPLE_BYTES))
            samples -= step

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _write(sink: Any, user_id: int, pcm: bytes) -> None:
    sink.write(pcm, user_id)
