"""FFmpeg filters: any samples in, 48 kHz stereo int16 out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from ..._rtp import SAMPLE_RATE

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

__all__ = ["Resampler"]


class Resampler:
    """One chain of filters. ``loudness`` (LUFS) adds FFmpeg's dynamic normalisation, 3 s late.

    Streams may change their format in the middle (chained Ogg, ADTS): a new chain is made.
    """

    def __init__(self, loudness: float | None = None) -> None:
        self._loudness = loudness
        self._graph: _Graph | None = None

    def push(self, frame: "AudioFrame | None") -> Iterator[memoryview]:
        """Yield the samples that come out after a frame went in; None flushes.

        What is yielded is valid until the next one.
        """
        if self._graph is not None and (frame is None or not self._graph.takes(frame)):
            yield from self._graph.push(None)
            self._graph = None
        if frame is not None:
            if self._graph is None:
                self._graph = _Graph(frame, self._loudness)
            yield from self._graph.push(frame)


class _Graph:
    def __init__(self, frame: "AudioFrame", loudness: float | None) -> None:
        from av.filter import Graph

        self._format = _format_of(frame)
        self._graph = Graph()
        layout, sample_format, rate = self._format
        chain = [
            self._graph.add_abuffer(
                format=sample_format, sample_rate=rate, layout=layout, time_base=frame.time_base
            )
        ]
        if frame.layout.nb_channels == 1:
            # As it is, in both: `aformat` would take 3 dB off.
            chain.append(self._graph.add("pan", "stereo|c0=c0|c1=c0"))
        if loudness is not None:
            # EBU R128's range for broadcast (LRA 7 to 20) and peak (-1 dBTP).
            chain.append(self._graph.add("loudnorm", f"I={loudness}:TP=-1:LRA=11"))
        to = f"sample_fmts=s16:sample_rates={SAMPLE_RATE}:channel_layouts=stereo"
        chain.append(self._graph.add("aformat", to))
        chain.append(self._graph.add("abuffersink"))
        self._graph.link_nodes(*chain).configure()

    def takes(self, frame: "AudioFrame") -> bool:
        """Whether the frame has the format that the filters were made for."""
        return _format_of(frame) == self._format

    def push(self, frame: "AudioFrame | None") -> Iterator[memoryview]:
        import av

        self._graph.push(frame)
        while True:
            try:
                out = cast("AudioFrame", self._graph.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            # FFmpeg pads its buffers: take what is sound.
            yield memoryview(out.planes[0])[: out.samples * 4]


def _format_of(frame: "AudioFrame") -> tuple[str, str, int]:
    return frame.layout.name, frame.format.name, frame.sample_rate
