"""discord.py 2.7: ``await channel.connect(cls=VoicekitClient)``."""

import discord

from .library import Library
from .voice_client import VoiceClient

__all__ = ["VoicekitClient"]

if not hasattr(discord, "app_commands"):
    raise ImportError(
        f"this `discord` is not discord.py, but {discord.__title__}: voicekit.adapters.pycord"
    )


class VoicekitClient(VoiceClient, discord.VoiceProtocol):
    """A voice client for discord.py, in the place of ``discord.VoiceClient``."""

    library = Library.of(discord, "discord.py")
