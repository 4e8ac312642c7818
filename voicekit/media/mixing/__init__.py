"""Several sources at once: their sum, their volumes, and who makes room for whom. No event loop."""

from .ducking import Ducking
from .fading import equal_power
from .input import MixerInput
from .mixer import InputEnded, Mixer

__all__ = ["Ducking", "InputEnded", "Mixer", "MixerInput", "equal_power"]
