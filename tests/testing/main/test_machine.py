"""The main gateway's core: logging in, heartbeats, resuming, and codes for what is wrong."""

import json
import random
from typing import Any

import pytest

from .platform_without_sockets import Platform

HELLO, ACK, INVALID, RECONNECT = 10, 11, 9, 7


@pytest.fixture
def platform() -> Platform:
    return Platform()


def test_a_bot_logs_in_and_sees_its_guild(platform: Platform) -> None:
    link = platform.login()
    assert platform.ops(link) == [HELLO, 0, 0]
    assert platform.names(link) == ["READY", "GUILD_CREATE"]
    assert [one["s"] for one in platform.received[link][1:]] == [1, 2]
    ready, guild = platform.events(link)
    assert ready["user"]["id"] == str(platform.bot.id)
    assert ready["guilds"] == [{"id": str(platform.guild.id), "unavailable": True}]
    assert [one["name"] for one in guild["channels"]] == ["General", "Music"]
    assert len(guild["members"]) == 2
    assert platform.closed == {}


def test_the_zlib_stream_holds_the_same_messages(platform: Platform) -> None:
    link = platform.open("/?v=10&encoding=json&compress=zlib-stream")
    platform.send(link, 2, platform.identity())
    assert platform.names(link) == ["READY", "GUILD_CREATE"]


def test_who_did_not_ask_for_an_event_does_not_get_it(platform: Platform) -> None:
    link = platform.login(intents=1)  # guilds
    platform.join(link, platform.general)
    assert platform.names(link) == ["READY", "GUILD_CREATE", "VOICE_SERVER_UPDATE"]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/?v=6&encoding=json", 4012),
        ("/?v=10&encoding=etf", 4002),
        ("/?v=10&encoding=json&compress=rar", 4002),
        ("/?" + "&".join("abcdefghijklmnopqrstuvwxyz"), 4002),
    ],
)
def test_a_socket_that_asks_for_what_is_not_spoken_is_closed(
    platform: Platform, target: str, code: int
) -> None:
    link = platform.open(target)
    assert platform.closed == {link: code}


#: What is said before there is a session, and the code for it.
WRONG_AT_FIRST: list[tuple[str, int]] = [
    ("{", 4002),
    ("[]", 4002),
    ("null", 4002),
    ('{"d": null}', 4002),
    ('{"op": "two"}', 4002),
    ('{"op": 1e300}', 4002),
    ('{"op": ' + "[" * 5000 + "}", 4002),
    ('{"op": 1, "d": "soon"}', 4002),
    ('{"op": 2, "d": {}}', 4002),
    ('{"op": 2, "d": {"token": 5, "intents": 0}}', 4002),
    ('{"op": 6, "d": {"token": "t", "session_id": "s"}}', 4002),
    ("\ud800", 4002),
    ('{"op": 0, "d": {}}', 4001),
    ('{"op": 10, "d": {}}', 4001),
    ('{"op": 99, "d": {}}', 4001),
    ('{"op": -1, "d": {}}', 4001),
    ('{"op": 4, "d": {"guild_id": "1", "channel_id": null}}', 4003),
    ('{"op": 3, "d": {}}', 4003),
    ('{"op": 8, "d": {"guild_id": "1"}}', 4003),
    ('{"op": 2, "d": {"token": "wrong", "intents": 0}}', 4004),
    ('{"op": 6, "d": {"token": "wrong", "session_id": "s", "seq": 1}}', 4004),
]


@pytest.mark.parametrize(("text", "code"), WRONG_AT_FIRST)
def test_nonsense_is_closed_with_its_code(platform: Platform, text: str, code: int) -> None:
    link = platform.open()
    platform.send_text(link, text)
    assert platform.closed == {link: code}
    assert platform.server.closes == {code: 1}
    platform.send_text(link, text)  # it had not read our close yet
    assert platform.server.closes == {code: 1}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"intents": 1 << 26}, 4013),
        ({"intents": -1}, 4013),
        ({"shard": [1, 1]}, 4010),
        ({"shard": [-1, 1]}, 4010),
        ({"shard": [0]}, 4002),
        ({"token": "Bot wrong"}, 4004),
    ],
)
def test_a_login_that_is_not_possible_is_refused(
    platform: Platform, changes: dict[str, Any], code: int
) -> None:
    link = platform.login(**changes)
    assert platform.closed == {link: code}


def test_an_intent_that_is_not_allowed_is_refused(platform: Platform) -> None:
    platform.server.disallowed_intents = 1 << 15
    assert platform.closed == {platform.login(): 4014}


def test_logging_in_twice_on_one_socket_is_refused(platform: Platform) -> None:
    link = platform.login()
    platform.send(link, 2, platform.identity())
    assert platform.closed == {link: 4005}


def test_more_messages_than_the_limit_are_refused(platform: Platform) -> None:
    link = platform.login()
    for _ in range(119):
        platform.send(link, 1, None)
    assert platform.closed == {}
    platform.send(link, 1, None)
    assert platform.closed == {link: 4008}


def test_a_large_message_is_refused(platform: Platform) -> None:
    link = platform.login()
    platform.send(link, 3, {"activities": [{"name": "x" * 4096}]})
    assert platform.closed == {link: 4002}


def test_heartbeats_are_answered_and_missed_ones_close(platform: Platform) -> None:
    link = platform.login()
    for _ in range(10):
        platform.advance(41)
        platform.send(link, 1, 2)
    assert platform.ops(link).count(ACK) == 10
    platform.advance(83)
    assert platform.closed == {link: 4009}


def test_a_sequence_number_that_was_never_sent_is_refused(platform: Platform) -> None:
    link = platform.login()
    platform.send(link, 1, 3)
    assert platform.closed == {link: 4007}


def test_a_resume_replays_what_was_missed(platform: Platform) -> None:
    link = platform.login()
    ready = platform.events(link, "READY")[0]
    platform.do(lambda server: server.drop(platform.now))
    assert platform.closed == {link: None}
    platform.do(lambda server: server.add_channel(platform.guild, "Third"))
    again = platform.open()
    resume = {"token": platform.token, "session_id": ready["session_id"], "seq": 2}
    platform.send(again, 6, resume)
    assert platform.names(again) == ["CHANNEL_CREATE", "RESUMED"]
    assert [one["s"] for one in platform.received[again][1:]] == [3, 4]
    (session,) = platform.server.sessions_of()
    assert session.resumes == 1


def test_a_resume_of_what_is_over_is_invalid_and_identifying_works(platform: Platform) -> None:
    link = platform.login()
    ready = platform.events(link, "READY")[0]
    platform.server.websocket_closed(link, 1000, platform.now)
    again = platform.open()
    platform.send(again, 6, {"token": platform.token, "session_id": ready["session_id"], "seq": 2})
    assert platform.received[again][-1] == {"op": INVALID, "d": False, "s": None, "t": None}
    platform.send(again, 2, platform.identity())
    assert platform.names(again) == ["READY", "GUILD_CREATE"]


def test_what_cannot_be_resumed_is_an_invalid_session(platform: Platform) -> None:
    other = platform.world.add_bot("other")
    links = [platform.login(), platform.login(token=platform.world.token_of(other))]
    own, others = (platform.events(link, "READY")[0]["session_id"] for link in links)
    platform.do(lambda server: server.drop(platform.now))
    for _ in range(1001):
        platform.do(lambda server: server.tell("TYPING_START", {}, platform.guild, platform.bot.id))
    for session_id, seq in ((others, 1), (own, 2), ("no such session", 0)):
        link = platform.open()
        platform.send(link, 6, {"token": platform.token, "session_id": session_id, "seq": seq})
        assert platform.ops(link) == [HELLO, INVALID]


def test_a_session_that_timed_out_is_over(platform: Platform) -> None:
    session_id = platform.events(platform.login(), "READY")[0]["session_id"]
    platform.advance(83)  # without a heartbeat: 4009
    link = platform.open()
    platform.send(link, 6, {"token": platform.token, "session_id": session_id, "seq": 2})
    assert platform.ops(link) == [HELLO, INVALID]


def test_a_resume_from_the_future_is_refused(platform: Platform) -> None:
    link = platform.login()
    ready = platform.events(link, "READY")[0]
    again = platform.open()
    platform.send(again, 6, {"token": platform.token, "session_id": ready["session_id"], "seq": 9})
    assert platform.closed[again] == 4007


def test_the_resume_window_ends_and_with_it_the_seat_in_a_channel() -> None:
    platform = Platform(resume_window=30.0)
    link = platform.login()
    platform.join(link, platform.general)
    platform.do(lambda server: server.drop(platform.now))
    platform.advance(29)
    assert platform.guild.voice_states
    platform.advance(2)
    assert not platform.guild.voice_states
    assert platform.server.sessions_of() == []


def test_what_goes_wrong_on_purpose(platform: Platform) -> None:
    link = platform.login()
    platform.do(lambda server: server.ask_heartbeat())
    platform.do(lambda server: server.ask_reconnect())
    platform.do(lambda server: server.invalidate(platform.now))
    assert platform.ops(link)[-3:] == [1, RECONNECT, INVALID]
    platform.send(link, 2, platform.identity())
    platform.do(lambda server: server.close(4000, platform.now))
    assert platform.closed == {link: 4000}
    assert len(platform.server.sessions_of()) == 1


def test_members_are_sent_to_who_asks(platform: Platform) -> None:
    link = platform.login()
    guild_id = str(platform.guild.id)
    platform.send(link, 8, {"guild_id": guild_id, "query": "", "limit": 0, "nonce": "7"})
    platform.send(link, 8, {"guild_id": [guild_id], "user_ids": [str(platform.bot.id)]})
    platform.send(link, 8, {"guild_id": "5", "query": "", "limit": 0})
    every, one = platform.events(link, "GUILD_MEMBERS_CHUNK")
    assert (len(every["members"]), every["nonce"]) == (2, "7")
    assert [member["user"]["id"] for member in one["members"]] == [str(platform.bot.id)]


def test_stopping_closes_everything(platform: Platform) -> None:
    first, second = platform.login(), platform.open()
    platform.do(lambda server: server.stop(platform.now))
    assert platform.closed == {first: 1001, second: 1001}
    assert platform.server.next_timeout() is None


def test_no_secret_is_shown(platform: Platform) -> None:
    link = platform.login()
    platform.join(link, platform.general)
    (session,) = platform.server.sessions_of()
    state = platform.guild.voice_states[platform.bot.id]
    things = [platform.server, platform.world, session, session.socket, state, platform.guild]
    shown = " ".join(map(repr, [*things, *platform.member_events]))
    for secret in (platform.token, session.id, state.session_id):
        assert secret not in shown


def test_random_messages_never_raise() -> None:
    chance = random.Random(5)
    scraps = ["op", "d", "token", "intents", "guild_id", "channel_id", "seq", "session_id", "shard"]

    def value(depth: int) -> Any:
        kind = chance.randrange(8 if depth else 5)
        if kind < 5:
            leaves = [None, chance.randrange(-2, 12), 1 << 70, chance.choice(scraps), True]
            return leaves[kind]
        if kind == 5:
            return [value(depth - 1) for _ in range(chance.randrange(3))]
        return {chance.choice(scraps): value(depth - 1) for _ in range(chance.randrange(5))}

    platform = Platform()
    link = platform.login()
    for number in range(3000):
        if link in platform.closed:
            link = platform.login() if number % 2 else platform.open()
        text = json.dumps({"op": chance.choice([1, 2, 3, 4, 6, 8, 31, 43]), "d": value(3)})
        platform.send_text(link, text[: chance.randrange(len(text) + 40)])
        platform.advance(1.0)
    assert set(platform.server.closes) <= {4001, 4002, 4003, 4004, 4005, 4007, 4009, 4010, 4013}
    assert len(platform.server.closes) > 3
