"""What a file is, before it is played: container, codec, bit rate, length, tags."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..._rtp import SAMPLE_RATE
from .audio_file import TIMEOUT, AudioFile, Format
from .framed_opus import DCA_MAGIC, FramedOpusReader, length_of
from .input_file import File, InputFile

__all__ = ["FRAMED_FORMATS", "MediaInfo", "is_framed", "probe"]

#: Opus packets behind their lengths; all other formats are FFmpeg's.
FRAMED_FORMATS = ("framed-opus", "dca")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What `probe` found. Names of containers and codecs are FFmpeg's."""

    #: ``"ogg"``, ``"mp3"``, ``"matroska,webm"`` …; ``"framed-opus"``, ``"dca"``.
    container: str
    #: ``"opus"``, ``"mp3"``, ``"pcm_s16le"`` …
    codec: str
    #: Bits per second; None if unknown.
    bit_rate: int | None
    #: Seconds; None if unknown, as for live streams.
    duration: float | None
    sample_rate: int
    channels: int
    #: Tags, with their names in lower case: ``"title"``, ``"artist"`` …
    metadata: Mapping[str, str] = field(default_factory=dict)


def probe(file: File, *, format: Format | None = None, timeout: float = TIMEOUT) -> MediaInfo:
    """Look at a file, bytes, a file object or a URL, as `open_source` takes them.

    A file object that can seek is left where it was. Raises `MediaError` as `open_source` does.
    """
    with contextlib.ExitStack() as resources:
        given = resources.enter_context(contextlib.closing(InputFile(file)))
        if is_framed(given, format):
            info = _of_framed(FramedOpusReader(given, dca=format != "framed-opus"))
        else:
            opened = AudioFile(given, format, timeout=timeout)
            info = _of_opened(resources.enter_context(contextlib.closing(opened)))
        if given.url is None and given.seekable:
            given.rewind()
    return info


def is_framed(given: InputFile, format: Format | None) -> bool:
    """Whether it holds Opus packets behind their lengths."""
    return given.head == DCA_MAGIC or format in FRAMED_FORMATS


def _of_opened(opened: AudioFile) -> MediaInfo:
    context = opened.stream.codec_context
    return MediaInfo(
        container=opened.container,
        codec=opened.codec,
        bit_rate=opened.bit_rate,
        duration=opened.duration,
        sample_rate=context.sample_rate,
        channels=context.channels,
        metadata=opened.metadata,
    )


def _of_framed(reader: FramedOpusReader) -> MediaInfo:
    seconds, size = length_of(reader)
    return MediaInfo(
        container=reader.container,
        codec="opus",
        bit_rate=round(size * 8 / seconds) if seconds else None,
        duration=seconds,
        sample_rate=SAMPLE_RATE,
        channels=2,
        metadata=reader.metadata,
    )
