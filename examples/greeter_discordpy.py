"""Greeter: greeter_discordpy.py GREETING FOLDER (a discord.py bot; its token is in DISCORD_TOKEN).

It follows people into voice channels, greets each of them with an audio file, and records what is
said into FOLDER, a file per user, until the last of them has left.
"""

import asyncio
import os
import sys

import discord

from voicekit.adapters.discordpy import VoicekitClient
from voicekit.media import Recorder, open_source


class Greeter(discord.Client):
    def __init__(self, greeting: str, folder: str) -> None:
        intents = discord.Intents.default()
        intents.members = True
        super().__init__(intents=intents)
        self.greeting = greeting
        self.folder = folder

    async def on_voice_state_update(
        self,
        member: discord.Member,
        before: discord.VoiceState,
        after: discord.VoiceState,
    ) -> None:
        if member == self.user or before.channel == after.channel:
            return
        voice = member.guild.voice_client
        if after.channel is not None and voice is None:
            # Everything else is as with discord.py's own voice client.
            voice = await after.channel.connect(cls=VoicekitClient)
            voice.start_recording(Recorder(self.folder), self.recorded)
        if voice is None:
            return
        if after.channel == voice.channel:
            greeting = await asyncio.to_thread(open_source, self.greeting)
            if voice.is_connected() and not voice.is_playing():
                voice.play(greeting)
        elif all(one == self.user for one in voice.channel.members):
            await voice.disconnect()

    def recorded(self, tracks: list) -> None:
        for track in tracks:
            print(f"user {track.user_id}: {track.seconds:.1f} s in {track.path}", flush=True)


if __name__ == "__main__":
    Greeter(*sys.argv[1:]).run(os.environ["DISCORD_TOKEN"])
