"""Recorder: recorder_pycord.py CHANNEL_ID SECONDS (a py-cord bot; its token is in DISCORD_TOKEN).

It records a voice channel into py-cord's own sink, end-to-end encrypted or not, and leaves.
"""

import asyncio
import os
import sys

import discord
from discord import sinks

from voicekit.adapters.pycord import VoicekitClient


class RecordingBot(discord.Client):
    def __init__(self, channel_id: int, seconds: float) -> None:
        super().__init__(intents=discord.Intents.default())
        self.channel_id = channel_id
        self.seconds = seconds

    async def on_ready(self) -> None:
        channel = self.get_channel(self.channel_id)
        voice = await channel.connect(cls=VoicekitClient)
        voice.start_recording(sinks.PCMSink(), self.recorded, channel)
        await asyncio.sleep(self.seconds)
        voice.stop_recording()

    async def recorded(self, sink: sinks.PCMSink, channel: discord.VoiceChannel) -> None:
        for user_id, audio in sink.audio_data.items():
            seconds = len(audio.file.getvalue()) / (48000 * 2 * 2)
            print(f"user {user_id} in {channel.name}: {seconds:.1f} s", flush=True)
        await channel.guild.voice_client.disconnect()  # `close` has no gateway left to leave by
        await self.close()


if __name__ == "__main__":
    RecordingBot(int(sys.argv[1]), float(sys.argv[2])).run(os.environ["DISCORD_TOKEN"])
