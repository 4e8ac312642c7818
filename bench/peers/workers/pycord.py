"""py-cord: what its player thread calls for each packet."""

import discord
import discord.voice

from ...peer_worker import serve
from .davey_member import DaveyMember
from .sending import LACKS, sending

#: Its reader hands on the payload of end-to-end encrypted calls only.
NOTHING = "its receiver returns no payload in calls without end-to-end encryption"
lacks = {**LACKS, "open/xchacha": NOTHING, "open+extension/xchacha": NOTHING}
member = DaveyMember()

if __name__ == "__main__":
    serve("py-cord", discord.__version__, sending(discord.voice.VoiceClient, member), lacks, member)
