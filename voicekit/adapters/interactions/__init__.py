"""interactions.py 5.16: `install(client)`, and its voice states are voicekit's.

client = interactions.Client(token=…)
voicekit.adapters.interactions.install(client)
"""

from .player import VoicekitPlayer
from .recorder import VoicekitRecorder
from .voice_state import VoicekitVoiceState, install

__all__ = ["VoicekitPlayer", "VoicekitRecorder", "VoicekitVoiceState", "install"]
