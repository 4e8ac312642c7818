"""A bot on py-cord."""

import discord
from console import run
from discord_like import DiscordBot

from voicekit.adapters.pycord import VoicekitClient

if __name__ == "__main__":
    run(lambda task: DiscordBot(discord, VoicekitClient, task))
