"""Files in and out of a call: sources, sinks and recorder, free of any event loop."""

from .audio_file import File
from .concealment import Concealer
from .ogg import OggOpusWriter
from .recorder import Recorder, Sink, Track
from .sample import open_sample
from .sources import Frames, Source, open_source, read_opus_packets
from .wav import WavWriter

__all__ = [
    "Concealer",
    "File",
    "Frames",
    "OggOpusWriter",
    "Recorder",
    "Sink",
    "Source",
    "Track",
    "WavWriter",
    "open_sample",
    "open_source",
    "read_opus_packets",
]
