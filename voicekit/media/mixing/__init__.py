"""Several sources at once, and one source for several calls. No event loop; `read` may block."""

from .ducking import Ducking
from .fading import equal_power
from .mixer import InputEnded, Mixer, MixerInput

__all__ = ["Ducking", "InputEnded", "Mixer", "MixerInput", "equal_power"]
