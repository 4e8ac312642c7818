"""A bot on hikari."""

import asyncio
import importlib
from typing import Any

import hikari
from console import Heard, Numbered, run

from voicekit.adapters.hikari import VoicekitVoiceConnection


class HikariBot:
    """Commands of the compatibility table."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.heard_frames = Heard()
        self.token = task["token"]
        self.bot = hikari.GatewayBot(
            task["token"],
            rest_url=task["rest_url"],
            banner=None,
            logs=None,
            intents=hikari.Intents.ALL_UNPRIVILEGED,
        )
        self.guild_id = task["guild_id"]
        self.channels: list[hikari.Snowflake] = []
        self.voice: Any = None

    async def login(self) -> dict[str, Any]:
        guilds: asyncio.Future[hikari.GuildAvailableEvent] = asyncio.Future()

        @self.bot.listen()
        async def available(event: hikari.GuildAvailableEvent) -> None:
            if not guilds.done():
                guilds.set_result(event)

        await self.bot.start(check_for_updates=False)
        event = await guilds
        channels = [
            id for id, one in event.channels.items() if isinstance(one, hikari.GuildVoiceChannel)
        ]
        self.channels = sorted(channels)
        return {
            "version": hikari.__version__,
            "guild": int(event.guild_id),
            "channels": [int(channel) for channel in self.channels],
        }

    async def signal(self, channel_id: int) -> dict[str, Any]:
        """Join and leave by op 4 alone, with the two events and nothing else."""
        states = self.bot.wait_for(hikari.VoiceStateUpdateEvent, timeout=5)
        servers = self.bot.wait_for(hikari.VoiceServerUpdateEvent, timeout=5)
        both = asyncio.gather(states, servers)
        await asyncio.sleep(0)
        await self.bot.update_voice_state(self.guild_id, channel_id)
        await both
        view = self.bot.cache.get_voice_states_view_for_channel(self.guild_id, channel_id)
        members = [int(user) for user in view]
        await self.bot.update_voice_state(self.guild_id, None)
        return {"states": 1, "servers": 1, "members": members}

    async def join(self, channel_id: int, within: float = 10) -> None:
        self.voice = await self.bot.voice.connect_to(
            self.guild_id, channel_id, VoicekitVoiceConnection, timeout=within
        )
        self._listening = asyncio.ensure_future(self.heard_frames.listen(self.voice.voice))

    async def leave(self) -> None:
        await self.bot.voice.disconnect(self.guild_id)

    async def play(self, first: int, count: int) -> None:
        await self.voice.player.play(Numbered(first, count), wait_finish=True)

    async def heard(self) -> dict[str, Any]:
        return self.heard_frames.report()

    async def state(self) -> dict[str, Any]:
        connected = self.voice is not None and self.voice.is_alive
        return {
            "connected": connected,
            "channel": int(self.voice.channel_id) if connected else None,
        }

    def state_of_us(self) -> hikari.VoiceState | None:
        """What hikari has heard of where we are."""
        me = self.bot.get_me()
        return None if me is None else self.bot.cache.get_voice_state(self.guild_id, me.id)

    async def check(self, module: str, name: str) -> None:
        """Run a check of `hikari_checks`."""
        await getattr(importlib.import_module(module), name)(self)

    async def quit(self) -> None:
        await self.bot.close()


if __name__ == "__main__":
    run(HikariBot)
