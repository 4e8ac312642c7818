"""`open_source`: what a file holds decides which source plays it."""

from ...errors import MediaError
from ..ogg import is_filler
from .audio_file import TIMEOUT, AudioFile, Format
from .encoding import EncoderOptions
from .file_source import DecodedSource, FileSource
from .framed_opus import FramedOpusReader
from .input_file import File, InputFile
from .opus_packets import ContainedPackets, FramedPackets, OpusPackets, is_plain_opus
from .opus_source import OpusSource
from .probing import is_framed
from .source import checked_seconds, checked_volume

__all__ = ["open_source", "read_opus_packets"]


def open_source(
    file: File,
    *,
    format: Format | None = None,
    start: float = 0.0,
    loop: bool | int = False,
    volume: float = 1.0,
    normalize: float | None = None,
    encoder: EncoderOptions | None = None,
    timeout: float = TIMEOUT,
) -> FileSource:
    """Open audio: a path, its bytes, a binary file object, or a URL that FFmpeg reads.

    A ``str`` that begins with ``http://`` or ``https://`` (``ftp rtmp rtmps rtsp srt``) is a
    URL, a ``Path`` never is. ``format`` says what the content does not: ``RawPcm(...)``,
    ``"framed-opus"`` (each packet behind its length, u32 little-endian), ``"dca"`` (DCA0; DCA1 is
    recognised), or FFmpeg's name of a demultiplexer.

    Opus passes through untouched (`OpusSource`) unless ``volume`` or ``normalize`` change it;
    anything else is decoded, resampled to 48 kHz stereo and encoded as ``encoder`` says; a last
    frame that is not full is filled with silence. An MP3 cover is not looked at, and only the
    first (or default) audio stream is played.

    ``start``: seconds from the beginning. ``loop``: True for ever, or how many more times.
    ``normalize``: the loudness it gets, in LUFS (EBU R128; `LOUDNESS` is a good one). For that a
    file is listened to before, at some hundred times its speed, and gets one gain; a URL or a
    pipe is levelled as it comes, 3 s late. ``timeout``: seconds that a URL may send nothing.

    Raises `MediaError` with one line that says what is wrong with which file, ``ValueError``
    for a wrong setting, `OpusNotFound` if it must encode and there is no libopus.
    """
    checked_volume(volume)
    checked_seconds(start, "start")
    if normalize is not None and not -70 <= normalize <= -5:
        raise ValueError(f"normalize is -70 to -5 LUFS, not {normalize!r}")
    if loop is not True and loop < 0:
        raise ValueError(f"loop is True, or a number of at least 0, not {loop!r}")
    given = InputFile(file)
    try:
        if loop and not given.seekable:
            raise MediaError(f"{given.name} can not be looped: it is read as it comes")
        # What can be read only once, or is far away, is not listened to before.
        measure = given.seekable and given.url is None
        packets: OpusPackets | None = None
        if is_framed(given, format):
            packets = FramedPackets(FramedOpusReader(given, dca=format != "framed-opus"))
        else:
            opened = AudioFile(given, format, timeout=timeout)
            if is_plain_opus(opened) and (measure or normalize is None):
                packets = ContainedPackets(opened)
        options = EncoderOptions() if encoder is None else encoder
        if packets is not None:
            return OpusSource(
                packets,
                start=start,
                loop=loop,
                volume=volume,
                encoder=options,
                normalize=normalize,
            )
        return DecodedSource(
            opened,
            start=start,
            loop=loop,
            volume=volume,
            encoder=options,
            normalize=normalize,
            measure=measure,
        )
    except BaseException:
        given.close()
        raise


def read_opus_packets(file: File) -> list[bytes]:
    """Return the Opus packets of a file, as they are, without those that only fill gaps."""
    opened = AudioFile(file)
    try:
        if not opened.is_opus:
            raise MediaError(f"{opened.name} holds {opened.codec}, not Opus")
        packets = [bytes(packet) for packet in opened.packets()]
    finally:
        opened.close()
    return [packet for packet in packets if not is_filler(packet)]
