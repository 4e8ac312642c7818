"""Sources: what plays, in frames of 20 ms. None knows of an event loop; `read` may block."""

from .audio_file import RawPcm
from .encoding import EncoderOptions
from .file_source import FileSource
from .framed_opus import FramedOpusReader, FramedOpusWriter
from .input_file import File
from .loudness import LOUDNESS
from .opening import open_source, read_opus_packets
from .probing import MediaInfo, probe
from .provider import open_opus_provider, open_provider
from .push import PushSource
from .sample import open_sample
from .source import AudioSource, Frames, Source

__all__ = [
    "LOUDNESS",
    "AudioSource",
    "EncoderOptions",
    "File",
    "FileSource",
    "FramedOpusReader",
    "FramedOpusWriter",
    "Frames",
    "MediaInfo",
    "PushSource",
    "RawPcm",
    "Source",
    "open_opus_provider",
    "open_provider",
    "open_sample",
    "open_source",
    "probe",
    "read_opus_packets",
]
