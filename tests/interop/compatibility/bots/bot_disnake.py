"""A bot on disnake."""

import disnake
from console import run
from discord_like import DiscordBot

from voicekit.adapters.disnake import VoicekitClient

if __name__ == "__main__":
    run(lambda task: DiscordBot(disnake, VoicekitClient, task))
