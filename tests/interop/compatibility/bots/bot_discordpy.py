"""A bot on discord.py."""

import discord
from console import run
from discord_like import DiscordBot

from voicekit.adapters.discordpy import VoicekitClient

if __name__ == "__main__":
    run(lambda task: DiscordBot(discord, VoicekitClient, task))
