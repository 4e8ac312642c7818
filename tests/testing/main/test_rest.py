"""The REST interface: requests out of bytes, and the answers that libraries log in with."""

import json
import random
from typing import Any

import pytest

from voicekit.testing.main.http import BadRequest, Request, RequestReader, Response
from voicekit.testing.main.rest import Rest

from .platform_without_sockets import Platform


class Asker:
    """Asks the REST interface of a platform as a bot does."""

    def __init__(self) -> None:
        self.platform = Platform()
        self.rest = Rest(self.platform.server)
        self.rest.gateway_url = "ws://gateway.example"

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> Response:
        headers = {"authorization": f"Bot {self.platform.token if token is None else token}"}
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.rest.answer(Request(method, path, headers, data), self.platform.now)
        self.platform.drain()
        return answer

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return json.loads(answer.encode().partition(b"\r\n\r\n")[2])


@pytest.fixture
def asker() -> Asker:
    return Asker()


@pytest.mark.parametrize("prefix", ["", "/v10", "/api/v10", "/api", "/v9"])
def test_the_version_in_the_path_does_not_matter(asker: Asker, prefix: str) -> None:
    assert asker.get(f"{prefix}/gateway") == {"url": "ws://gateway.example"}


def test_what_a_bot_asks_at_login(asker: Asker) -> None:
    platform = asker.platform
    bot_id, guild_id = str(platform.bot.id), str(platform.guild.id)
    assert asker.get("/gateway/bot?x=1")["session_start_limit"]["max_concurrency"] == 1
    assert asker.get("/users/@me")["id"] == bot_id
    assert asker.get("/oauth2/applications/@me")["id"] == bot_id
    assert asker.get("/applications/@me")["bot"]["id"] == bot_id
    assert [one["id"] for one in asker.get("/users/@me/guilds")] == [guild_id]
    assert asker.get(f"/guilds/{guild_id}")["id"] == guild_id
    assert [one["name"] for one in asker.get(f"/guilds/{guild_id}/channels")] == [
        "General",
        "Music",
    ]
    assert asker.get(f"/channels/{platform.music.id}")["guild_id"] == guild_id
    assert len(asker.get(f"/guilds/{guild_id}/members")) == 2
    assert asker.get(f"/guilds/{guild_id}/roles")[0]["id"] == guild_id
    assert asker.get(f"/guilds/{guild_id}/members/@me")["user"]["id"] == bot_id
    assert asker.get(f"/users/{bot_id}")["bot"] is True
    assert asker.get(f"/applications/{bot_id}/emojis") == {"items": []}
    assert asker.rest.unknown == []


def test_commands_are_kept(asker: Asker) -> None:
    bot_id, guild_id = asker.platform.bot.id, asker.platform.guild.id
    everywhere = f"/applications/{bot_id}/commands"
    here = f"/applications/{bot_id}/guilds/{guild_id}/commands"
    assert asker.ask("PUT", everywhere, [{"name": "play"}, "nonsense"]).status == 200
    assert asker.ask("POST", here, {"name": "stop", "description": "it"}).status == 201
    assert asker.ask("POST", here, ["nonsense"]).status == 400
    ((play,), (stop,)) = asker.get(everywhere), asker.get(here)
    assert (play["name"], play["description"], "guild_id" in play) == ("play", "", False)
    assert (stop["name"], stop["description"], stop["guild_id"]) == ("stop", "it", str(guild_id))
    assert play["id"] != stop["id"]


def test_a_bot_moves_and_kicks_members(asker: Asker) -> None:
    platform = asker.platform
    link = platform.login()
    platform.join(link, platform.general)
    member = f"/guilds/{platform.guild.id}/members/{platform.bot.id}"
    state = f"/guilds/{platform.guild.id}/voice-states/@me"
    assert asker.ask("PATCH", member, {"channel_id": str(platform.music.id)}).status == 200
    assert asker.get(state)["channel_id"] == str(platform.music.id)
    assert asker.ask("PATCH", member, {"channel_id": None}).status == 200
    assert asker.ask("GET", state).status == 404


def test_a_bot_sees_no_guild_but_its_own(asker: Asker) -> None:
    world = asker.platform.world
    other = world.add_guild("other")
    channel = world.add_channel(other, "General")
    assert asker.ask("GET", f"/guilds/{other.id}").status == 404
    assert asker.ask("GET", f"/channels/{channel.id}").status == 404
    assert len(asker.get("/users/@me/guilds")) == 1


@pytest.mark.parametrize("token", ["", "wrong"])
def test_who_has_no_token_gets_nothing_but_the_gateway(asker: Asker, token: str) -> None:
    assert asker.ask("GET", "/users/@me", token=token).status == 401
    assert asker.ask("GET", "/gateway", token=token).status == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/users/1", 10013),
        ("/guilds/1", 10004),
        ("/guilds/1/channels", 10004),
        ("/guilds/1/members/1", 10007),
        ("/guilds/1/voice-states/1", 10065),
        ("/channels/1", 10003),
        ("/channels/99999999999999999999", 10003),
        ("/no/such/thing", 0),
        ("nonsense", 0),
    ],
)
def test_what_is_not_there_is_not_found(asker: Asker, path: str, code: int) -> None:
    answer = asker.ask("GET", path)
    assert (answer.status, answer.data["code"]) == (404, code)
    assert len(asker.rest.unknown) == (code == 0)


PUT = (
    b"PUT /api/v10/x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nAuthorization: Bot b\r\n\r\n"
    b"[{}]"
)
CHUNKED = (
    b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b"2\r\n[{\r\n2;ext=1\r\n}]\r\n0\r\n\r\n"
)


def test_requests_are_read_in_whatever_pieces_they_come() -> None:
    for size in (1, 7, 1000):
        reader, requests = RequestReader(), []
        for start in range(0, len(PUT + CHUNKED), size):
            reader.feed((PUT + CHUNKED)[start : start + size])
            while (request := reader.next_request()) is not None:
                requests.append(request)
        put, post = requests
        assert (put.method, put.target, put.path, put.body) == (
            "PUT",
            "/api/v10/x?y=1",
            "/api/v10/x",
            b"[{}]",
        )
        assert (put.headers["authorization"], put.keeps_alive) == ("Bot b", True)
        assert (post.json(), post.keeps_alive) == ([{}], False)
        assert "Bot b" not in repr(put)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n\r\n",
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"PUT / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"x" * 40_000,
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    reader = RequestReader()
    reader.feed(data)
    with pytest.raises(BadRequest):
        reader.next_request()


def test_random_bytes_are_read_or_refused() -> None:
    chance = random.Random(3)
    for _ in range(2000):
        data = bytearray(PUT + CHUNKED)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        reader = RequestReader()
        reader.feed(bytes(data))
        try:
            while (request := reader.next_request()) is not None:
                request.json()
        except BadRequest:
            pass
