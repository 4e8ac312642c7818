"""Op 4 and what follows from it: joins, moves, kicks, regions, and channels without answer."""

from typing import Any

import pytest

from .platform_without_sockets import Platform

BOTH = ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"]


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def link(platform: Platform) -> int:
    return platform.login()


def voice_events(platform: Platform, link: int) -> list[Any]:
    """Take the names and data of the voice events so far."""
    found = [
        (one["t"], one["d"])
        for one in platform.received[link]
        if one["op"] == 0 and one["t"].startswith("VOICE")
    ]
    platform.received[link].clear()
    return found


def test_op_4_is_answered_with_both_events(platform: Platform, link: int) -> None:
    platform.join(link, platform.general, self_mute=True)
    (state_name, state), (server_name, server) = voice_events(platform, link)
    assert [state_name, server_name] == BOTH
    assert state["channel_id"] == str(platform.general.id)
    assert state["user_id"] == state["member"]["user"]["id"] == str(platform.bot.id)
    assert (state["self_mute"], state["self_deaf"]) == (True, False)
    assert server["endpoint"] == "voice-0.example:443"
    placement = platform.voice[0].host.placement(platform.guild.id, platform.bot.id)
    assert placement is not None
    assert (placement.session_id, placement.token) == (state["session_id"], server["token"])


def test_the_same_channel_again_changes_the_flags_only(platform: Platform, link: int) -> None:
    platform.join(link, platform.general)
    voice_events(platform, link)
    platform.join(link, platform.general, self_deaf=True)
    ((name, state),) = voice_events(platform, link)
    assert (name, state["self_deaf"]) == ("VOICE_STATE_UPDATE", True)


def test_another_channel_is_a_move(platform: Platform, link: int) -> None:
    platform.join(link, platform.general)
    (_, before), (_, first) = voice_events(platform, link)
    platform.join(link, platform.music)
    (_, after), (_, second) = voice_events(platform, link)
    assert after["channel_id"] == str(platform.music.id)
    assert after["session_id"] == before["session_id"]
    assert first["token"] != second["token"]


def test_a_null_channel_leaves_and_a_rejoin_is_a_new_session(platform: Platform, link: int) -> None:
    platform.join(link, platform.general)
    before = voice_events(platform, link)[0][1]
    platform.join(link, None)
    ((_, gone),) = voice_events(platform, link)
    assert gone["channel_id"] is None
    assert platform.guild.voice_states == {}
    platform.join(link, platform.general)
    assert voice_events(platform, link)[0][1]["session_id"] != before["session_id"]


@pytest.mark.parametrize("why", ["full", "locked", "unknown channel", "unknown guild", "no number"])
def test_what_cannot_be_joined_is_not_answered(platform: Platform, link: int, why: str) -> None:
    channel = platform.world.add_channel(platform.guild, "third")
    guild_id, channel_id = str(platform.guild.id), str(channel.id)
    if why == "full":
        channel.user_limit = 1
        somebody = platform.server.add_member(platform.guild, "somebody")
        platform.do(
            lambda server: server.voice.request(
                platform.guild, somebody.id, channel.id, platform.now
            )
        )
        voice_events(platform, link)
    channel.is_locked = why == "locked"
    if why == "unknown channel":
        channel_id = "12345"
    if why == "unknown guild":
        guild_id = "12345"
    if why == "no number":
        channel_id = "General"
    platform.send(link, 4, {"guild_id": guild_id, "channel_id": channel_id})
    assert voice_events(platform, link) == []
    assert platform.bot.id not in platform.guild.voice_states
    assert platform.closed == {}


def test_a_kick_says_the_null_channel(platform: Platform, link: int) -> None:
    platform.join(link, platform.general)
    voice_events(platform, link)
    platform.do(lambda server: server.voice.kick(platform.guild, platform.bot.id, platform.now))
    ((_, state),) = voice_events(platform, link)
    assert state["channel_id"] is None


@pytest.mark.parametrize("what", ["move", "kick"])
def test_the_close_may_come_before_the_news(platform: Platform, link: int, what: str) -> None:
    platform.join(link, platform.general)
    voice_events(platform, link)
    voice, where = platform.server.voice, (platform.guild, platform.bot.id)
    if what == "move":
        platform.do(lambda _: voice.move(*where, platform.music, platform.now, close_first=True))
    else:
        platform.do(lambda _: voice.kick(*where, platform.now, close_first=True))
    assert voice_events(platform, link) == []
    platform.advance(0.2)
    names = [name for name, _ in voice_events(platform, link)]
    assert names == (BOTH if what == "move" else BOTH[:1])


def test_a_region_change_gives_another_server_and_the_same_session(
    platform: Platform, link: int
) -> None:
    platform.join(link, platform.general)
    session_id = voice_events(platform, link)[0][1]["session_id"]
    platform.do(
        lambda server: server.voice.change_region(
            platform.guild, platform.general, 1, platform.now, null_for=1.0
        )
    )
    assert [data["endpoint"] for _, data in voice_events(platform, link)] == [None]
    platform.advance(1.0)
    ((name, server),) = voice_events(platform, link)
    assert (name, server["endpoint"]) == ("VOICE_SERVER_UPDATE", "voice-1.example:443")
    old, new = (one.host.placement(platform.guild.id, platform.bot.id) for one in platform.voice)
    assert old is None
    assert new is not None
    assert (new.session_id, new.token) == (session_id, server["token"])
    platform.join(link, platform.music)  # whose region is the first one
    assert voice_events(platform, link)[1][1]["endpoint"] == "voice-0.example:443"
    assert platform.voice[1].host.placement(platform.guild.id, platform.bot.id) is None


def test_there_is_no_region_beyond_the_last(platform: Platform, link: int) -> None:
    with pytest.raises(ValueError, match="no voice server 2 of 2"):
        platform.server.voice.change_region(
            platform.guild, platform.general, 2, platform.now, null_for=None
        )


def test_a_null_endpoint_comes_back_with_the_same_token(platform: Platform, link: int) -> None:
    platform.join(link, platform.general)
    token = voice_events(platform, link)[1][1]["token"]
    platform.do(
        lambda server: server.voice.null_endpoint(
            platform.guild, platform.bot.id, platform.now, seconds=1.0
        )
    )
    platform.advance(1.0)
    told = [(data["endpoint"], data["token"]) for _, data in voice_events(platform, link)]
    assert told == [(None, token), ("voice-0.example:443", token)]


@pytest.mark.parametrize("leaves_first", [True, False])
def test_after_4006_a_join_is_a_new_session(
    platform: Platform, link: int, leaves_first: bool
) -> None:
    platform.join(link, platform.general)
    before = voice_events(platform, link)[0][1]["session_id"]
    platform.do(
        lambda server: server.voice.close(platform.guild, platform.bot.id, 4006, platform.now)
    )
    assert voice_events(platform, link) == []
    placement = platform.voice[0].host.placement(platform.guild.id, platform.bot.id)
    assert placement is not None
    assert placement.session_id != before  # who identifies with the old one is refused again
    if leaves_first:
        platform.join(link, None)
        voice_events(platform, link)
    platform.join(link, platform.general)
    (_, state), (_, server) = voice_events(platform, link)
    placement = platform.voice[0].host.placement(platform.guild.id, platform.bot.id)
    assert placement is not None
    assert (state["session_id"], server["token"]) == (placement.session_id, placement.token)
    assert state["session_id"] != before
    platform.join(link, platform.general, self_mute=True)
    assert [name for name, _ in voice_events(platform, link)] == BOTH[:1]


def test_who_logs_in_anew_sits_nowhere(platform: Platform, link: int) -> None:
    platform.join(link, platform.general)
    platform.server.websocket_closed(link, None, platform.now)  # the program crashed
    platform.login()
    assert platform.guild.voice_states == {}


def test_others_hear_of_it_and_only_the_user_of_its_server(platform: Platform, link: int) -> None:
    other = platform.server.add_member(platform.guild, "other")
    platform.drain()
    platform.member_events.clear()
    platform.join(link, platform.general)
    told = [one.name for one in platform.member_events if one.user_id == other.id]
    assert told == ["VOICE_STATE_UPDATE"]
