"""Recording a call: tracks on one timeline, in any format, on disk or in memory."""

from .call import CallRecording
from .formats import FORMATS
from .manifest import Manifest, Track, TrackEntry, read_manifest
from .recorder import Recorder
from .running import RunningRecording
from .sink import OpenSink, PcmWriter, Sink
from .timeline import Timeline
from .wav import WavWriter

__all__ = [
    "FORMATS",
    "CallRecording",
    "Manifest",
    "OpenSink",
    "PcmWriter",
    "Recorder",
    "RunningRecording",
    "Sink",
    "Timeline",
    "Track",
    "TrackEntry",
    "WavWriter",
    "read_manifest",
]
