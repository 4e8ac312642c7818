"""discord.py: what its player thread calls for each packet."""

import discord

from ...peer_worker import serve
from .davey_member import DaveyMember
from .sending import LACKS, sending

member = DaveyMember()
if __name__ == "__main__":
    serve("discord.py", discord.__version__, sending(discord.VoiceClient, member), LACKS, member)
