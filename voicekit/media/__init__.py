"""Files in and out of a call: sources, sinks, recorder and player, free of any event loop."""

from .audio_file import File
from .ogg import OggOpusWriter
from .player import Frames, LatePolicy, Player
from .recorder import Recorder, Sink, Track
from .sample import open_sample
from .sources import Source, open_source, read_opus_packets
from .wav import WavWriter

__all__ = [
    "File",
    "Frames",
    "LatePolicy",
    "OggOpusWriter",
    "Player",
    "Recorder",
    "Sink",
    "Source",
    "Track",
    "WavWriter",
    "open_sample",
    "open_source",
    "read_opus_packets",
]
