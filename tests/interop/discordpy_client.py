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
from collections import Counter, defaultdict, deque
from types import SimpleNamespace
from typing import Any

import aiohttp
import davey
import discord
import nacl.secret
from discord.gateway import DiscordClientWebSocketResponse
from discord.http import HTTPClient
from discord.voice_state import VoiceConnectionState

RTP_HEADER, NONCE_SIZE = 12, 4
SPEAKING = 5
SILENCE = b"\xf8\xff\xfe"
MARKER = b"\xfa\xfa"  # what an end-to-end encrypted frame ends with


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


class VoiceClient(discord.VoiceClient):
    """discord.py's, with a note of who sends under which SSRC, and of each privacy code."""

    def __init__(self, client: Any, channel: Any) -> None:
        self.users: dict[int, int] = {}
        self.privacy_codes: list[str] = []
        self.ears: Ears
        super().__init__(client, channel)

    def create_connection_state(self) -> VoiceConnectionState:
        return VoiceConnectionState(self, hook=self._hook)

    async def _hook(self, _: object, message: dict[str, Any]) -> None:
        if message["op"] == SPEAKING:
            self.users[message["d"]["ssrc"]] = int(message["d"]["user_id"])
            self.ears.open_waiting()
        self.note_privacy_code()

    def note_privacy_code(self) -> None:
        code = self.voice_privacy_code
        if code and self.privacy_codes[-1:] != [code]:
            self.privacy_codes.append(code)

    @property
    def is_encrypted(self) -> bool:
        return self._connection.can_encrypt and not self._connection.dave_pending_transitions


class Ears:
    """Opens the audio that arrives, as a receiving extension of discord.py would.

    It is called in the thread of discord.py's socket reader, and goes on in the loop's:
    there the group changes, too. A packet may come before the news of who sends it.
    """

    def __init__(self, voice: VoiceClient, loop: asyncio.AbstractEventLoop) -> None:
        self._voice = voice
        self._loop = loop
        self._waiting: deque[bytes] = deque()
        self.heard: Counter[int] = Counter()
        self.heard_clear: Counter[int] = Counter()
        self.undecryptable: Counter[int] = Counter()
        self.digests: dict[int, Any] = defaultdict(hashlib.sha256)

    def __call__(self, data: bytes) -> None:
        if data[1] & 0x7F == 120:
            self._loop.call_soon_threadsafe(self._take, data)

    def _take(self, data: bytes) -> None:
        self._waiting.append(data)
        self.open_waiting()

    def open_waiting(self) -> None:
        while self._waiting:
            user = self._voice.users.get(int.from_bytes(self._waiting[0][8:12], "big"))
            if user is None:
                return
            self._open(self._waiting.popleft(), user)

    def _open(self, data: bytes, user: int) -> None:
        box = nacl.secret.Aead(bytes(self._voice.secret_key))
        nonce = data[-NONCE_SIZE:] + bytes(24 - NONCE_SIZE)
        dave = self._voice._connection.dave_session
        try:
            frame = box.decrypt(data[RTP_HEADER:-NONCE_SIZE], data[:RTP_HEADER], nonce)
            encrypted = frame.endswith(MARKER)
            if encrypted and dave is not None:
                frame = dave.decrypt(user, davey.MediaType.audio, frame)
        except (nacl.exceptions.CryptoError, ValueError):
            self.undecryptable[user] += 1
            return
        if frame == SILENCE:
            return
        self.heard[user] += 1
        self.heard_clear[user] += not encrypted
        self.digests[user].update(frame)


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
        voice = guild.voice_client = VoiceClient(client, channel)
        ears = voice.ears = Ears(voice, loop)
        await voice.connect(reconnect=True, timeout=20)
        print(json.dumps({"event": "connected"}), flush=True)
        if task["listen"]:
            voice._connection.add_socket_listener(ears)
        while task["encrypted"] and not voice.is_encrypted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
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
        await loop.run_in_executor(None, sys.stdin.read)  # stay until told to leave
        await asyncio.sleep(task["linger"])
        voice.note_privacy_code()
        dave = voice._connection.dave_session
        result = {
            "discord.py": discord.__version__,
            "mode": voice.mode,
            "ssrc": voice.ssrc,
            "error": repr(errors[0]) if errors[0] else None,
            "unsent": len(frames.left),
            "sha256": frames.sent.hexdigest(),
            "joins": guild.joins,
            "latency": voice.latency,
            "dave_version": voice._connection.dave_protocol_version,
            "epoch": dave.epoch if dave else None,
            "privacy_codes": voice.privacy_codes,
            # By user; JSON makes them strings.
            "heard": ears.heard,
            "heard_clear": +ears.heard_clear,  # without those of none
            "undecryptable": ears.undecryptable,
            "heard_sha256": {user: digest.hexdigest() for user, digest in ears.digests.items()},
        }
        await voice.disconnect()
    return result


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
