"""The main gateway's core with its voice servers, on a clock that tests move; no sockets."""

import json
import zlib
from typing import Any

from voicekit.outputs import CloseWebSocket, SendBinary, SendText
from voicekit.server import DropWebSocket, HostVoiceServer, HostVoiceState, VoiceServer
from voicekit.testing.main.machine import MainServer, MemberEvent
from voicekit.testing.main.world import World

ALL_INTENTS = (1 << 26) - 1


class Platform:
    """A guild with a bot and two channels, and what each of the bot's sockets was told."""

    def __init__(self, **options: Any) -> None:
        self.now = 100.0
        self.world = World()
        self.bot = self.world.add_bot()
        self.token = self.world.token_of(self.bot)
        self.guild = self.world.add_guild("guild", self.bot)
        self.general = self.world.add_channel(self.guild, "General")
        self.music = self.world.add_channel(self.guild, "Music")
        self.voice = [VoiceServer(), VoiceServer()]
        for number, server in enumerate(self.voice):
            server.set_udp_address("127.0.0.1", 5000 + number)
            server.host.endpoint = f"voice-{number}.example:443"
            server.start(self.now)
        self.server = MainServer(self.world, self.voice, **options)
        self.received: dict[int, list[Any]] = {}
        self.closed: dict[int, int | None] = {}
        self.member_events: list[MemberEvent] = []
        self._streams: dict[int, Any] = {}
        self._links = 0

    def open(self, target: str = "/?v=10&encoding=json") -> int:
        self._links += 1
        self.received[self._links] = []
        self._streams[self._links] = zlib.decompressobj()
        self.server.websocket_opened(self._links, target, self.now)
        self.drain()
        return self._links

    def send(self, link: int, op: int, data: Any) -> None:
        self.send_text(link, json.dumps({"op": op, "d": data}))

    def send_text(self, link: int, text: str) -> None:
        self.server.receive_text(link, text, self.now)
        self.drain()

    def login(self, **changes: Any) -> int:
        link = self.open()
        self.send(link, 2, self.identity(**changes))
        return link

    def identity(self, **changes: Any) -> dict[str, Any]:
        return {"token": self.token, "intents": ALL_INTENTS, "properties": {}, **changes}

    def join(self, link: int, channel: Any, **flags: bool) -> None:
        data = {"guild_id": str(self.guild.id), "channel_id": channel and str(channel.id)}
        self.send(link, 4, {**data, "self_mute": False, "self_deaf": False, **flags})

    def do(self, action: Any) -> None:
        action(self.server)
        self.drain()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.server.next_timeout()) is not None and due <= end:
            self.now = due
            self.server.handle_timeout(due)
            self.drain()
        self.now = end

    def ops(self, link: int) -> list[int]:
        return [message["op"] for message in self.received[link]]

    def events(self, link: int, *names: str) -> list[Any]:
        wanted = [one for one in self.received[link] if one["op"] == 0]
        return [one["d"] for one in wanted if not names or one["t"] in names]

    def names(self, link: int) -> list[str]:
        return [one["t"] for one in self.received[link] if one["op"] == 0]

    def drain(self) -> None:
        while self._drain_main() | self._drain_voice():
            pass

    def _drain_main(self) -> bool:
        any_output = False
        while (output := self.server.poll()) is not None:
            any_output = True
            match output:
                case SendText(link, text):
                    self.received[link].append(json.loads(text))
                case SendBinary(link, data):
                    self.received[link].append(json.loads(self._streams[link].decompress(data)))
                case CloseWebSocket(link, code):
                    self.closed[link] = code
                case DropWebSocket(link):
                    self.closed[link] = None
                case MemberEvent():
                    self.member_events.append(output)
                case _:
                    raise AssertionError(output)
        return any_output

    def _drain_voice(self) -> bool:
        any_event = False
        for server in self.voice:
            while (event := server.poll()) is not None:
                if isinstance(event, HostVoiceState | HostVoiceServer):
                    any_event = True
                    self.server.take_host_event(event, self.now)
        return any_event
