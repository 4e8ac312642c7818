"""A bot on py-cord."""

import discord
from console import run
from discord_like import DiscordBot

if __name__ == "__main__":
    run(lambda task: DiscordBot(discord, task))
