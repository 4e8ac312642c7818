"""A bot on discord.py or one of its forks: they differ in little but their names."""

import asyncio
import importlib
import io
from typing import Any

from console import Heard, packet, tone


def point(library: Any, task: dict[str, Any]) -> None:
    """Have a library log in to the test's gateway."""
    library.http.Route.BASE = library.http.Route.API_BASE_URL = task["rest_url"]
    gateway = library.gateway.DiscordWebSocket
    if hasattr(gateway, "DEFAULT_GATEWAY"):
        gateway.DEFAULT_GATEWAY = type(gateway.DEFAULT_GATEWAY)(task["gateway_url"])


class DiscordBot:
    """Commands of the compatibility table, for ``library`` (a module) and its voicekit client."""

    def __init__(self, library: Any, voice_client: Any, task: dict[str, Any]) -> None:
        self.library = library
        self.voice_client = voice_client
        self.task = task
        self.heard_frames = Heard()
        point(library, task)
        intents = library.Intents.default()
        intents.members = True
        # Two seconds without another guild, by default: there is only one.
        self.client = library.Client(intents=intents, guild_ready_timeout=0.2)
        self.voice: Any = None

    # -- commands -------------------------------------------------------------------------

    async def login(self) -> dict[str, Any]:
        self._running = asyncio.ensure_future(self.client.start(self.task["token"]))
        ready = asyncio.ensure_future(self.client.wait_until_ready())
        await asyncio.sleep(0)  # `start` makes what `wait_until_ready` waits for
        await asyncio.wait({self._running, ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            self._running.result()
        (guild,) = self.client.guilds
        return {
            "version": self.library.__version__,
            "guild": guild.id,
            "channels": sorted(channel.id for channel in guild.voice_channels),
        }

    async def signal(self, channel_id: int) -> dict[str, Any]:
        """Join and leave by op 4 alone, with a client that only takes the two events."""
        library = self.library

        class Signals(library.VoiceProtocol):  # type: ignore[misc]
            def __init__(self, client: Any, channel: Any) -> None:
                super().__init__(client, channel)
                self.channel = channel
                self.states: list[Any] = []
                self.servers: list[Any] = []
                self.both = asyncio.Event()

            async def on_voice_state_update(self, data: Any) -> None:
                self.states.append(data)
                self._check()

            async def on_voice_server_update(self, data: Any) -> None:
                self.servers.append(data)
                self._check()

            def _check(self) -> None:
                if self.states and self.servers:
                    self.both.set()

            async def connect(self, *, timeout: float, **options: Any) -> None:  # noqa: ASYNC109
                await self.channel.guild.change_voice_state(channel=self.channel)
                await asyncio.wait_for(self.both.wait(), timeout)

            async def disconnect(self, *, force: bool) -> None:
                await self.channel.guild.change_voice_state(channel=None)
                self.cleanup()

        channel = self.client.get_channel(channel_id)
        signals = await channel.connect(cls=Signals, timeout=5)
        members = [member.id for member in channel.members]
        await signals.disconnect(force=False)
        return {
            "states": len(signals.states),
            "servers": len(signals.servers),
            "members": members,
        }

    async def join(self, channel_id: int, within: float = 10, reconnect: bool = True) -> None:
        channel = self.client.get_channel(channel_id)
        self.voice = await channel.connect(
            cls=self.voice_client, timeout=within, reconnect=reconnect
        )
        self._listening = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        async for frame in self.voice.voice.frames():
            self.heard_frames.add(frame.user_id, frame.opus, frame.e2ee)

    async def leave(self) -> None:
        if self.voice is not None:
            await self.voice.disconnect(force=False)

    async def play(self, first: int, count: int) -> None:
        """Play numbered packets to the end."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        errors: list[Exception | None] = []

        def after(error: Exception | None = None) -> None:
            errors.append(error)
            loop.call_soon_threadsafe(done.set)

        self.voice.play(self._numbered(first, count), after=after)
        await done.wait()
        if errors[0] is not None:
            raise errors[0]

    def _numbered(self, first: int, count: int) -> Any:
        left = [packet(number) for number in range(first, first + count)]

        class Numbered(self.library.AudioSource):  # type: ignore[misc,name-defined]
            def is_opus(self) -> bool:
                return True

            def read(self) -> bytes:
                return left.pop(0) if left else b""

        return Numbered()

    async def heard(self) -> dict[str, Any]:
        return self.heard_frames.report()

    async def state(self) -> dict[str, Any]:
        connected = self.voice is not None and self.voice.is_connected()
        return {
            "connected": connected,
            "channel": self.voice.channel.id if connected else None,
        }

    async def check(self, module: str, name: str) -> None:
        """Run a check of `discord_checks` or `recording_checks`."""
        await getattr(importlib.import_module(module), name)(self)

    async def fade(self, seconds: float, after: float, volume: float) -> None:
        """Play a tone by samples, and set its volume on the way."""
        frames = round(seconds * 50)
        stream = io.BytesIO(tone(frames))
        source = self.library.PCMVolumeTransformer(self.library.PCMAudio(stream))
        done = self.voice.play(source, wait_finish=True)
        await asyncio.sleep(after)
        source.volume = volume
        assert await done is None

    async def quit(self) -> None:
        await self.client.close()
