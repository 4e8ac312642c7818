"""A bot on interactions.py."""

import asyncio
from typing import Any

import interactions
from console import Heard, run


class InteractionsBot:
    """Commands of the compatibility table."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.heard_frames = Heard()
        interactions.api.http.route.Route.BASE = task["rest_url"]
        self.client = interactions.Client(token=task["token"])
        self.guild_id = task["guild_id"]
        self.voice: Any = None

    async def login(self) -> dict[str, Any]:
        self._running = asyncio.ensure_future(self.client.astart())
        ready = asyncio.ensure_future(self.client.wait_until_ready())
        await asyncio.wait({self._running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            self._running.result()
        guild = self.client.get_guild(self.guild_id)
        channels = [one for one in guild.channels if isinstance(one, interactions.GuildVoice)]
        return {
            "version": interactions.__version__,
            "guild": int(guild.id),
            "channels": sorted(int(channel.id) for channel in channels),
        }

    async def signal(self, channel_id: int) -> dict[str, Any]:
        """Join and leave by op 4 alone, with the two events and nothing else."""
        state, server = (
            asyncio.ensure_future(self.client.wait_for(f"raw_voice_{name}_update", timeout=5))
            for name in ("state", "server")
        )
        await asyncio.sleep(0)
        gateway = self.client.get_guild_websocket(self.guild_id)
        await gateway.voice_state_update(self.guild_id, channel_id)
        await asyncio.gather(state, server)
        members = [int(state.result().data["user_id"])]
        await gateway.voice_state_update(self.guild_id, None)
        return {"states": 1, "servers": 1, "members": members}

    async def join(self, channel_id: int, within: float = 10) -> None:
        raise NotImplementedError("there is no adapter for this library yet")

    async def leave(self) -> None:
        raise NotImplementedError("there is no adapter for this library yet")

    async def play(self, first: int, count: int) -> None:
        raise NotImplementedError("there is no adapter for this library yet")

    async def heard(self) -> dict[str, Any]:
        return self.heard_frames.report()

    async def state(self) -> dict[str, Any]:
        raise NotImplementedError("there is no adapter for this library yet")

    async def quit(self) -> None:
        await self.client.stop()


if __name__ == "__main__":
    run(InteractionsBot)
