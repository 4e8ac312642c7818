"""disnake 2.12: ``await channel.connect(cls=VoicekitClient)``."""

import disnake

from .library import Library
from .voice_client import VoiceClient

__all__ = ["VoicekitClient"]


class VoicekitClient(VoiceClient, disnake.VoiceProtocol):
    """A voice client for disnake, in the place of ``disnake.VoiceClient``."""

    library = Library.of(disnake, "disnake", waits_for_move=False)
