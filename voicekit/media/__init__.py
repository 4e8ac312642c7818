"""Files in and out of a call: sources, sinks and recorder, free of any event loop."""

from .audio_file import File
from .concealment import Concealer
from .ogg import OggOpusWriter
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
from .sources import Frames, Source, open_source, read_opus_packets

__all__ = [
    "CallRecording",
    "Concealer",
    "File",
    "Frames",
    "Manifest",
    "OggOpusWriter",
    "Recorder",
    "Sink",
    "Source",
    "Track",
    "TrackEntry",
    "WavWriter",
    "open_sample",
    "open_source",
    "read_manifest",
    "read_opus_packets",
]
