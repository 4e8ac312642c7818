"""discord.py's own voice client, without Discord: run by test_discordpy in a venv of its own.

The main gateway is played here: `Guild.change_voice_state` answers with the two raw events
that Discord would send. All else is discord.py's: WebSocket, heartbeats, discovery,
encryption, the player thread. Reads its task as JSON from the command line, prints what
happened as JSON.
"""

import asyncio
import hashlib
import json
import logging
import sys
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import nacl.secret
from discord.gateway import DiscordClientWebSocketResponse
from discord.http import HTTPClient

RTP_HEADER, NONCE_SIZE = 12, 4


class Frames(discord.AudioSource):
    """Numbered Opus packets: CELT, fullband, 20 ms, one frame."""

    def __init__(self, count: int, size: int) -> None:
        self.left = [b"\xfc" + n.to_bytes(4, "big") + bytes(size - 5) for n in range(count)]
        self.sent = hashlib.sha256()

    def is_opus(self) -> bool:
        return True

    def read(self) -> bytes:
        if not self.left:
            return b""
        frame = self.left.pop(0)
        self.sent.update(frame)
        return frame


class Guild:
    """The main gateway, as far as a voice client sees it."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.id = task["server_id"]
        self.me = SimpleNamespace(voice=None)
        self.joins = 0
        self._task = task

    def get_channel(self, channel_id: int) -> "Channel":
        return Channel(self, channel_id)

    async def change_voice_state(self, *, channel: Any, **_: object) -> None:
        # As on Discord, the events come later: the caller goes on to wait for them.
        self._answer = asyncio.get_running_loop().create_task(self._events(channel))

    async def _events(self, channel: Any) -> None:
        await asyncio.sleep(0.02)
        state = {
            "guild_id": str(self.id),
            "channel_id": channel and str(channel.id),
            "user_id": str(self._task["user_id"]),
            "session_id": self._task["session_id"],
        }
        if channel is None:
            await self.voice_client.on_voice_state_update(state)
            return
        self.joins += 1
        server = {
            "guild_id": str(self.id),
            "token": self._task["token"],
            "endpoint": self._task["endpoint"],
        }
        events = [
            lambda: self.voice_client.on_voice_state_update(state),
            lambda: self.voice_client.on_voice_server_update(server),
        ]
        if self._task["server_first"]:
            events.reverse()
        for event in events:
            await event()
            await asyncio.sleep(0.01)

    voice_client: discord.VoiceClient


class Channel:
    def __init__(self, guild: Guild, channel_id: int) -> None:
        self.guild = guild
        self.id = channel_id

    def _get_voice_client_key(self) -> tuple[int, str]:
        return self.guild.id, "guild_id"


class Ears:
    """Opens the audio that arrives, as a receiving extension of discord.py would."""

    def __init__(self, voice: discord.VoiceClient) -> None:
        self._voice = voice
        self.heard = 0
        self.undecryptable = 0
        self.digest = hashlib.sha256()

    def __call__(self, data: bytes) -> None:
        if data[1] & 0x7F != 120:
            return
        box = nacl.secret.Aead(bytes(self._voice.secret_key))
        nonce = data[-NONCE_SIZE:] + bytes(24 - NONCE_SIZE)
        try:
            opus = box.decrypt(data[RTP_HEADER:-NONCE_SIZE], data[:RTP_HEADER], nonce)
        except nacl.exceptions.CryptoError:
            self.undecryptable += 1
            return
        self.heard += 1
        self.digest.update(opus)


async def main(task: dict[str, Any]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    http = HTTPClient(loop)
    async with aiohttp.ClientSession(ws_response_class=DiscordClientWebSocketResponse) as session:
        # `static_login` would make the session, and then ask Discord who we are.
        http._HTTPClient__session = session
        guild = Guild(task)
        state = SimpleNamespace(
            loop=loop,
            http=http,
            user=SimpleNamespace(id=task["user_id"]),
            _remove_voice_client=lambda guild_id: None,
        )
        client: Any = SimpleNamespace(_connection=state, loop=loop)
        channel: Any = guild.get_channel(task["channel_id"])
        voice = guild.voice_client = discord.VoiceClient(client, channel)
        ears = Ears(voice)
        await voice.connect(reconnect=True, timeout=20)
        if task["listen"]:
            voice._connection.add_socket_listener(ears)
        frames, done = Frames(task["frames"], task["size"]), asyncio.Event()
        errors: list[Exception | None] = []

        def after(error: Exception | None) -> None:
            errors.append(error)
            loop.call_soon_threadsafe(done.set)

        voice.play(frames, after=after)
        if task["pause"]:
            await asyncio.sleep(0.5)
            voice.pause()
            await asyncio.sleep(task["pause"])
            voice.resume()
        await done.wait()
        await asyncio.sleep(task["linger"])
        result = {
            "discord.py": discord.__version__,
            "mode": voice.mode,
            "ssrc": voice.ssrc,
            "error": repr(errors[0]) if errors[0] else None,
            "unsent": len(frames.left),
            "sha256": frames.sent.hexdigest(),
            "joins": guild.joins,
            "latency": voice.latency,
            "heard": ears.heard,
            "undecryptable": ears.undecryptable,
            "heard_sha256": ears.digest.hexdigest(),
        }
        await voice.disconnect()
    return result


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
