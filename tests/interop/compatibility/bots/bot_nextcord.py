"""A bot on nextcord."""

import nextcord
from console import run
from discord_like import DiscordBot

if __name__ == "__main__":
    run(lambda task: DiscordBot(nextcord, task))
