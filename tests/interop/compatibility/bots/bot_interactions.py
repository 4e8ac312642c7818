"""A bot on interactions.py."""

import asyncio
import importlib
from typing import Any

import interactions
from console import Heard, Numbered, run

from voicekit.adapters.interactions import VoicekitVoiceState


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
        self.voice = VoicekitVoiceState(
            client=self.client, guild_id=self.guild_id, channel_id=channel_id
        )
        await self.voice.connect(timeout=within)
        self._listening = asyncio.ensure_future(self.heard_frames.listen(self.voice.ws))

    async def leave(self) -> None:
        await self.client.get_guild(self.guild_id).voice_state.disconnect()

    async def play(self, first: int, count: int) -> None:
        await self.voice.play(_NumberedAudio(first, count))

    async def heard(self) -> dict[str, Any]:
        return self.heard_frames.report()

    async def state(self) -> dict[str, Any]:
        connected = self.voice is not None and self.voice.connected
        return {
            "connected": connected,
            "channel": int(self.voice.channel.id) if connected else None,
        }

    async def check(self, module: str, name: str) -> None:
        """Run a check of `interactions_checks`."""
        await getattr(importlib.import_module(module), name)(self)

    async def fade(self, path: str, after: float, volume: float) -> None:
        """Play a file, and set the volume on the way."""
        playing = self.voice.play_no_wait(interactions.api.voice.audio.AudioVolume(path))
        await asyncio.sleep(after)
        self.voice.volume = volume
        await playing

    def channel(self, name: str) -> Any:
        """Return a voice channel by its name."""
        channels = self.client.get_guild(self.guild_id).channels
        (found,) = [one for one in channels if one.name == name]
        return found

    async def quit(self) -> None:
        await self.client.stop()


class _NumberedAudio(interactions.api.voice.audio.BaseAudio):
    """Numbered packets, as an audio object of the library."""

    needs_encode = False
    locked_stream = False
    audio_complete = True

    def __init__(self, first: int, count: int) -> None:
        self._packets = Numbered(first, count)

    def read(self, frame_size: int) -> bytes:
        return self._packets.read() or b""

    def cleanup(self) -> None:
        pass


if __name__ == "__main__":
    run(InteractionsBot)
