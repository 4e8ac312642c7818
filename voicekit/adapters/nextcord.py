"""nextcord 2.6: ``await channel.connect(cls=VoicekitClient)``.

Its own voice knows none of the encryption that Discord accepts today.
"""

import nextcord

from .library import Library
from .voice_client import VoiceClient

__all__ = ["VoicekitClient"]


class VoicekitClient(VoiceClient, nextcord.VoiceProtocol):
    """A voice client for nextcord, in the place of ``nextcord.VoiceClient``."""

    library = Library.of(nextcord, "nextcord", waits_for_move=False, awaits_after=True)
