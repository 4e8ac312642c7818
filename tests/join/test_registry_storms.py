"""Any calls and events, in any order: the registry stays consistent, and everything ends."""

import random
from typing import Any

import pytest

from voicekit.errors import LocalProtocolError
from voicekit.join import SendVoiceState
from voicekit.registry_events import CallFailed, ChannelJoined, ChannelLeft, ChannelNotJoined

from .test_registry import USER, Connection, Host

GUILDS, CHANNELS = (1, 2), (10, 20, 30)
STEPS = 400


class Storm(Host):
    """A host that does anything, with a Discord that answers or does not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        super().__init__(one_per_guild=bool(seed % 2), timeout=5.0)
        self.made: list[Connection] = []
        self.mistakes: list[str] = []
        self.failing = False

    def send(self, op4: SendVoiceState) -> None:
        super().send(op4)
        if self.failing:
            raise OSError("no gateway")

    def step(self) -> None:
        choose = self.random.choice
        guild, channel = choose(GUILDS), choose(CHANNELS)
        act = choose(
            [self.call, self.call, self.answer, self.answer, self.answer, self.pass_time, self.end]
        )
        self.failing = self.random.random() < 0.1
        act(guild, channel)
        self.failing = False
        self.take_events()
        self.check()

    def call(self, guild: int, channel: int) -> None:
        name, *arguments = self.random.choice(
            [
                ("create", guild, channel),
                ("create", guild, channel),
                ("disconnect", guild, channel),
                ("move", guild, channel, self.random.choice(CHANNELS)),
                ("rejoin", guild, channel),
                ("set_self", guild, channel),
                ("stop_guild", guild),
                ("disconnect_guild", guild),
            ]
        )
        try:
            getattr(self.registry, str(name))(*arguments, self.now)
        except LocalProtocolError as error:
            self.mistakes.append(str(error))

    def answer(self, guild: int, channel: int) -> None:
        event: dict[str, Any] = {"guild_id": guild, "user_id": USER, "token": "t"}
        event["session_id"] = f"session {self.random.randrange(3)}"
        event["endpoint"] = self.random.choice(["a.example", "b.example", None])
        if self.random.random() < 0.5:
            self.registry.receive_voice_server(
                event | ({"channel_id": channel} if self.random.random() < 0.5 else {}), self.now
            )
        else:
            event["channel_id"] = self.random.choice([channel, channel, channel, None])
            self.registry.receive_voice_state(event, self.now)

    def pass_time(self, guild: int, channel: int) -> None:
        self.now += self.random.random() * 4
        while (due := self.registry.next_timeout()) is not None and due <= self.now:
            self.registry.handle_timeout(due)
            after = self.registry.next_timeout()
            assert after is None or after > due, "a timer that spins"

    def end(self, guild: int, channel: int) -> None:
        """One of the calls ends by itself."""
        if self.made:
            self.random.choice(self.made).live = False

    def take_events(self) -> None:
        for event in self.events():
            assert not isinstance(event, CallFailed) or event.doing == "send_voice_state"
            if isinstance(event, ChannelJoined):
                connection = Connection(event.info)
                self.made.append(connection)
                self.registry.put(event.guild_id, event.channel_id, connection, self.now)

    def check(self) -> None:
        live = [connection for _, _, connection in self.registry]
        assert len(live) == len(set(map(id, live)))
        for guild, channel, connection in self.registry:
            assert self.registry.get(guild, channel) is connection
            assert connection.info.server_id == guild
        if self.registry._one_per_guild:
            assert len({guild for guild, _, _ in self.registry}) == len(live)


@pytest.mark.parametrize("seed", range(24))
def test_whatever_happens_the_registry_agrees_with_itself_and_ends(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(STEPS):
        storm.step()
    storm.registry.disconnect_all(storm.now)
    storm.events()
    assert list(storm.registry) == []
    last = storm.wait(100.0)
    assert {type(event) for event in last} <= {ChannelLeft, ChannelNotJoined}
    assert storm.registry.next_timeout() is None
    assert "0 channels" in repr(storm.registry)
    assert all(": " in text for text in storm.mistakes), "what is wrong: what to do"
    assert not any(connection.live for connection in storm.made), "nobody is left in a call"
