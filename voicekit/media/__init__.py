"""Files in and out of a call: sources, sinks and recorder, free of any event loop."""

from .audio_file import RawPcm
from .concealment import Concealer
from .encoder_options import EncoderOptions
from .file_source import FileSource
from .framed_opus import FramedOpusReader, FramedOpusWriter
from .input_file import File
from .loudness import LOUDNESS
from .ogg import OggOpusWriter
from .probing import MediaInfo, probe
from .provider import open_opus_provider, open_provider
from .push import PushSource
from .recording import (
    CallRecording,
    Manifest,
    Recorder,
    Sink,
    Track,
    TrackEntry,
    WavWriter,
    read_manifest,
)
from .sample import open_sample
from .source import AudioSource, Frames, Source
from .sources import open_source, read_opus_packets

__all__ = [
    "LOUDNESS",
    "AudioSource",
    "CallRecording",
    "Concealer",
    "EncoderOptions",
    "File",
    "FileSource",
    "FramedOpusReader",
    "FramedOpusWriter",
    "Frames",
    "Manifest",
    "MediaInfo",
    "OggOpusWriter",
    "PushSource",
    "RawPcm",
    "Recorder",
    "Sink",
    "Source",
    "Track",
    "TrackEntry",
    "WavWriter",
    "open_opus_provider",
    "open_provider",
    "open_sample",
    "open_source",
    "probe",
    "read_manifest",
    "read_opus_packets",
]
