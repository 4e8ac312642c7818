"""A bot on nextcord."""

import nextcord
from console import run
from discord_like import DiscordBot

from voicekit.adapters.nextcord import VoicekitClient

if __name__ == "__main__":
    run(lambda task: DiscordBot(nextcord, VoicekitClient, task))
