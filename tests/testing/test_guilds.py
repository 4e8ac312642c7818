"""`voicekit.testing.guild` on real sockets: its speakers, and what it does to them.

Bots of real libraries are in tests/interop/compatibility.
"""

import asyncio
import json
import socket
import sys
import threading
import types
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import trio

from voicekit.errors import LocalProtocolError
from voicekit.server import ServerConfig
from voicekit.testing import Guild, guild, opus_frame

RUNNERS: dict[str, Callable[[Callable[[], Awaitable[None]]], object]] = {
    "asyncio": lambda main: asyncio.run(main()),  # type: ignore[arg-type]
    "trio": lambda main: trio.run(main),
}


class Numbered:
    """A source of numbered Opus packets."""

    blocking = False

    def __init__(self, frames: int) -> None:
        self.frames = [opus_frame(n) for n in range(frames)]
        self._left = iter(self.frames)

    def read(self) -> bytes | None:
        return next(self._left, None)


@pytest.mark.parametrize("runner", RUNNERS)
def test_two_speakers_hear_each_other_encrypted(runner: str) -> None:
    async def main() -> None:
        source = Numbered(15)
        async with guild() as made, made.speaker("alice") as alice, made.speaker("bob") as bob:
            assert made.channel_of(alice.user_id) == "General"
            await bob.encrypted()
            await bob.play(source)
            # Nothing is missed that came before it was asked for.
            heard = await alice.listen(10, bob.user_id) + await alice.listen(5, bob.user_id)
            assert (
                [frame.opus for frame in heard]
                == source.frames
                == [frame.opus for frame in alice.heard(bob.user_id)]
            )
            assert all(frame.e2ee for frame in heard)
            assert made.session(bob.user_id).packets_bad == {}
        assert not made.gateway.is_running

    RUNNERS[runner](main)


def test_moves_regions_and_kicks() -> None:
    async def main() -> None:
        async with guild() as made, made.speaker("alice") as alice:
            user = alice.user_id
            made.move("Music", user)
            await made.joined("Music", user)
            made.change_region("Music", region=1)
            await made.joined("Music", user)
            assert (made.region_of("General"), made.region_of("Music")) == (0, 1)
            assert [one.state for one in made.sessions(user)][-1] == "established"
            made.drop(user)
            await made.until(lambda: made.session(user).resumes == 1, "resumed")
            made.kick(user)
            await made.left(user)
            assert made.channel_of(user) is None
        assert str(alice.ended) == "out of the channel: kicked, or the host left"

    asyncio.run(main())


def test_a_tone_is_heard_as_a_tone() -> None:
    async def main() -> None:
        async with guild() as made, made.speaker("alice") as alice, made.speaker("bob") as bob:
            await bob.encrypted()
            await bob.talk(0.5, hertz=1000.0)
            await alice.listen(25, bob.user_id)
            samples = alice.pcm(bob.user_id)
        left = samples[2 * 4800 : 2 * 14400 : 2]  # 0.2 s from the middle
        crossings = sum((a < 0) != (b < 0) for a, b in pairwise(left))
        assert abs(crossings / 2 / 0.2 - 1000) < 15
        assert 6000 < max(left) < 11000  # a quarter of full scale

    asyncio.run(main())


def test_waiting_ends_with_an_error_that_says_for_what() -> None:
    async def main() -> None:
        async with guild() as made:
            with pytest.raises(TimeoutError, match=r"not joined General within 0\.05 s"):
                await made.joined("General", within=0.05)
            with pytest.raises(LocalProtocolError, match="there is no session"):
                made.session()
            with pytest.raises(LocalProtocolError, match="there are General, Music"):
                made.move("Lobby")
            with pytest.raises(LocalProtocolError, match="the bot is in no channel"):
                made.change_region()
            with pytest.raises(LocalProtocolError, match="is in no call"):
                await made.speaker().talk()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await made.joined()

    asyncio.run(main())


def test_what_a_condition_raises_comes_out() -> None:
    async def main() -> None:
        async with guild() as made:
            with pytest.raises(ZeroDivisionError):
                await made.until(lambda: bool(1 / 0))

    trio.run(main)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_wait_ends_with_the_guild(runner: str) -> None:
    async def main() -> None:
        async with guild() as made:
            waiting = made.gateway._submit(trio.sleep_forever)
        with pytest.raises(RuntimeError, match="the main gateway has stopped"):
            await made.until(lambda: True)
        assert str(waiting.exception(0)) == "the main gateway has stopped"

    RUNNERS[runner](main)


def test_a_condition_may_act() -> None:
    async def main() -> None:
        async with guild() as made:
            await made.until(lambda: made.add_channel("Third") > 0)
            assert made.channels == ["General", "Music", "Third"]

    asyncio.run(main())


def test_a_speaker_without_an_answer_does_not_join() -> None:
    async def main() -> None:
        async with guild() as made:
            made.add_channel("Full", is_full=True)
            with pytest.raises(TimeoutError, match="no answer"):
                async with made.speaker("alice", "Full", within=0.1):
                    pass
            async with made.speaker("bob") as bob:
                with pytest.raises(LocalProtocolError, match="joins once"):
                    await bob.__aenter__()
            given_up = made.speaker("carol", "Full")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), given_up:
                    pass
            made.gateway.stop()
            with pytest.raises(RuntimeError, match="has stopped"):
                async with made.speaker("dave"):
                    pass

    asyncio.run(main())


def test_the_settings_of_the_voice_servers_are_those_given() -> None:
    with guild("mine", channels=["Lobby"], voice=ServerConfig(dave="off"), regions=1) as made:
        assert made.channels == ["Lobby"]
        assert [one.config.dave for one in made.gateway.voice_servers] == ["off"]
        assert made.token not in repr(made)
        assert repr(made).startswith("<Guild 'mine', <MainGateway ws://127.0.0.1:")
    with pytest.raises(RuntimeError, match="not running"):
        _ = guild().rest_url


def test_rest_answers_over_http_and_says_no_to_strangers() -> None:
    with guild() as made:

        def get(path: str, token: str) -> Any:
            headers = {"Authorization": f"Bot {token}"}
            with urlopen(Request(made.rest_url + path, headers=headers), timeout=5) as answer:
                return json.load(answer)

        assert get("/users/@me", made.token)["id"] == str(made.bot_id)
        assert get("/gateway", "")["url"] == made.gateway_url
        with pytest.raises(HTTPError, match="401") as refused:
            get("/users/@me", "wrong")
        refused.value.close()
        host, port = made.rest_url.split("/")[2].split(":")
        with socket.create_connection((host, int(port)), timeout=5) as stranger:
            stranger.sendall(b"nonsense\r\n\r\n")
            assert stranger.recv(100).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_libraries_are_pointed_here_and_back() -> None:
    class Url(str):
        pass

    library = types.ModuleType("discord")
    library.http = types.SimpleNamespace(Route=type("Route", (), {"BASE": "https://x"}))  # type: ignore[attr-defined]
    gateway = type("DiscordWebSocket", (), {"DEFAULT_GATEWAY": Url("wss://x")})
    library.gateway = types.SimpleNamespace(DiscordWebSocket=gateway)  # type: ignore[attr-defined]
    with guild() as made:
        made.configure(library)
        made.configure(library)
        assert made.rest_url == library.http.Route.BASE
        assert made.gateway_url == gateway.DEFAULT_GATEWAY  # type: ignore[attr-defined]
        assert type(gateway.DEFAULT_GATEWAY) is Url  # type: ignore[attr-defined]
        with pytest.raises(LocalProtocolError, match="where sys keeps its URLs"):
            made.configure(sys)
    assert (library.http.Route.BASE, gateway.DEFAULT_GATEWAY) == ("https://x", "wss://x")  # type: ignore[attr-defined]


def test_no_thread_is_left_whatever_the_block_raises() -> None:
    before = set(threading.enumerate())

    async def main(made: Guild) -> None:
        async with made, made.speaker():
            raise KeyError

    for run in (lambda made: asyncio.run(main(made)), lambda made: trio.run(main, made)):
        with pytest.raises(KeyError):
            run(guild())
    left = {thread for thread in threading.enumerate() if thread not in before}
    assert not {thread.name for thread in left if "gateway" in thread.name}
