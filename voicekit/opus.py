"""The Opus codec, ready to use: `Encoder`, `Decoder`, and what they raise.

Importing this finds and loads libopus (`voicekit.opus_library` says where it looks) and
raises `OpusNotFound` where there is none.
"""

from ._opus import APPLICATIONS, BANDWIDTHS, SIGNALS, Decoder, Encoder, OpusError, library
from .opus_library import OpusNotFound

__all__ = [
    "APPLICATIONS",
    "BANDWIDTHS",
    "SIGNALS",
    "Decoder",
    "Encoder",
    "OpusError",
    "OpusNotFound",
    "library",
]
