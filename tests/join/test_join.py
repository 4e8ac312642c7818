"""The host's two events into a VoiceServerInfo, on a virtual clock."""

import itertools
from typing import Any

import pytest

from voicekit.errors import AlreadyConnected, ConnectTimedOut, GatewayUnavailable, NotConnected
from voicekit.join import (
    Join,
    Joined,
    JoinFailed,
    JoinState,
    JoinTimedOut,
    Left,
    SendVoiceState,
)
from voicekit.server_info import VoiceServerInfo

GUILD, CHANNEL, USER = 11, 22, 33

STATE = {
    "guild_id": "11",
    "channel_id": "22",
    "user_id": "33",
    "session_id": "session",
    "self_mute": False,
    "suppress": False,
}
SERVER = {"guild_id": "11", "token": "token", "endpoint": "a.example:2048"}
GONE = STATE | {"channel_id": None}
INFO = VoiceServerInfo(
    endpoint="a.example:2048",
    server_id=11,
    channel_id=22,
    user_id=33,
    session_id="session",
    token="token",
)
ASK = SendVoiceState(11, 22, False, False)
LEAVE = SendVoiceState(11, None, False, False)


class Host:
    """A `Join` and a clock."""

    def __init__(self, **settings: Any) -> None:
        self.join = Join(GUILD, CHANNEL, USER, **settings)
        self.now = 50.0

    def call(self, name: str, *args: Any) -> list[Any]:
        getattr(self.join, name)(*args, self.now)
        items = []
        while (item := self.join.poll()) is not None:
            items.append(item)
        return items

    def state(self, **changes: Any) -> list[Any]:
        return self.call("receive_voice_state", STATE | changes)

    def server(self, **changes: Any) -> list[Any]:
        return self.call("receive_voice_server", SERVER | changes)

    def wait(self, seconds: float) -> list[Any]:
        end = self.now + seconds
        items = []
        while (due := self.join.next_timeout()) is not None and due <= end:
            self.now = due
            items += self.call("handle_timeout")
            after = self.join.next_timeout()
            assert after is None or after > due
        self.now = end
        return items


def joined(**settings: Any) -> Host:
    host = Host(**settings)
    host.call("start")
    host.state()
    assert host.server() == [Joined(INFO)]
    return host


def test_it_asks_for_the_channel_as_a_gateway_wants_it() -> None:
    host = Host(mute=True, deaf=True)
    (ask,) = host.call("start")
    assert ask == SendVoiceState(11, 22, True, True)
    assert ask.payload == {
        "guild_id": "11",
        "channel_id": "22",
        "self_mute": True,
        "self_deaf": True,
    }
    assert LEAVE.payload["channel_id"] is None


@pytest.mark.parametrize("order", list(itertools.permutations(["state", "server"])))
def test_the_two_events_come_in_either_order(order: tuple[str, str]) -> None:
    host = Host()
    assert host.call("start") == [ASK]
    assert host.wait(29.9) == []
    assert getattr(host, order[0])() == []
    assert getattr(host, order[1])() == [Joined(INFO)]
    assert host.join.state is JoinState.JOINED
    assert host.join.info == INFO
    assert host.join.next_timeout() is None


def test_ids_may_be_numbers() -> None:
    host = Host()
    host.call("start")
    host.state(guild_id=11, channel_id=22, user_id=33)
    assert host.server(guild_id=11) == [Joined(INFO)]


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "34"},
        {"guild_id": "12"},
        {"guild_id": None},
        {"channel_id": "23"},
        {"channel_id": "x"},
        {"channel_id": True},
        {"channel_id": []},
        {"channel_id": "9" * 40},
        {"user_id": ["33"]},
        {"user_id": "٣٣"},
        {"session_id": None},
        {"session_id": ""},
        {"session_id": 5},
    ],
)
def test_states_of_others_and_malformed_ones_are_passed_over(changes: dict[str, Any]) -> None:
    host = Host()
    host.call("start")
    host.server()
    assert host.state(**changes) == []
    assert host.state() == [Joined(INFO)]


@pytest.mark.parametrize("name", STATE)
def test_a_state_without_a_member_raises_nothing(name: str) -> None:
    host = Host()
    host.call("start")
    event = {key: value for key, value in STATE.items() if key != name}
    host.call("receive_voice_state", event)
    host.call("receive_voice_state", {})


@pytest.mark.parametrize(
    "changes",
    [
        {"guild_id": "12"},
        {"guild_id": None},
        {"token": None},
        {"token": ""},
        {"token": 5},
        {"endpoint": ""},
        {"endpoint": 443},
        {"endpoint": None},
    ],
)
def test_servers_of_others_and_malformed_ones_are_passed_over(changes: dict[str, Any]) -> None:
    host = Host()
    host.call("start")
    host.state()
    assert host.server(**changes) == []
    assert host.server() == [Joined(INFO)]


def test_a_null_endpoint_means_wait_for_the_next_one() -> None:
    host = Host()
    host.call("start")
    host.server()
    host.server(endpoint=None, token="token-2")
    assert host.state() == []
    assert host.server(endpoint="b.example:1")[0].info.endpoint == "b.example:1"


def test_events_before_start_are_not_ours() -> None:
    host = Host()
    assert host.state() == []
    assert host.server() == []
    host.call("start")
    assert host.server() == []
    assert host.join.info is None


def test_the_null_state_of_an_earlier_stay_does_not_end_the_join() -> None:
    host = Host()
    host.call("start")
    assert host.state(channel_id=None) == []
    host.server()
    assert host.state() == [Joined(INFO)]


def test_silence_is_a_full_channel_or_a_missing_permission() -> None:
    host = Host(timeout=5.0)
    host.call("start")
    host.state()
    assert host.wait(4.9) == []
    leave, out = host.wait(0.1)
    assert leave == LEAVE, "a late answer must not leave us sitting in the channel"
    assert isinstance(out, JoinTimedOut)
    assert out.channel_id == 22
    assert isinstance(out.error, ConnectTimedOut)
    assert out.error.stage == "join"
    assert "permission" in str(out.error)
    assert host.join.state is JoinState.OUT
    assert host.server() == []
    assert host.call("start") == [ASK], "it may be tried again"


def test_leaving_is_confirmed_by_the_null_state() -> None:
    host = joined()
    assert host.call("leave") == [LEAVE]
    assert host.state() == []
    assert host.state(channel_id=None) == [Left()]
    assert host.join.info is None
    assert host.join.next_timeout() is None


def test_leaving_ends_without_a_confirmation_too() -> None:
    host = joined(timeout=10.0)
    host.call("leave")
    assert host.wait(10.0) == [Left()]


def test_a_kick_is_heard() -> None:
    host = joined()
    assert host.state(channel_id=None) == [Left()]
    assert host.join.state is JoinState.OUT
    assert host.call("start") == [ASK]


def test_a_rejoin_waits_for_the_null_state() -> None:
    host = joined()
    assert host.call("rejoin") == [LEAVE]
    assert host.state(session_id="stale") == []
    assert host.server(token="stale") == []
    assert host.state(channel_id=None) == [ASK]
    assert host.state(session_id="session-2") == []
    (event,) = host.server(token="token-2")
    assert (event.info.session_id, event.info.token) == ("session-2", "token-2")


def test_a_rejoin_goes_on_when_we_were_out_already() -> None:
    host = joined()
    host.call("rejoin")
    assert host.wait(4.9) == []
    assert host.wait(0.1) == [ASK]


def test_a_rejoin_can_be_called_off() -> None:
    host = joined()
    host.call("rejoin")
    host.call("leave")
    assert host.state(channel_id=None) == [Left()]


@pytest.mark.parametrize("order", list(itertools.permutations(["state", "server"])))
def test_a_move_needs_both_events_again(order: tuple[str, str]) -> None:
    host = joined()
    assert host.call("move", 44) == [SendVoiceState(11, 44, False, False)]
    changes = {"state": {"channel_id": "44"}, "server": {"token": "token-2"}}
    assert getattr(host, order[0])(**changes[order[0]]) == []
    (event,) = getattr(host, order[1])(**changes[order[1]])
    assert (event.info.channel_id, event.info.token) == (44, "token-2")


def test_a_move_to_where_we_are_is_nothing() -> None:
    host = joined()
    assert host.call("move", 22) == []
    assert host.join.state is JoinState.JOINED


def test_a_move_that_is_not_answered_leaves_us_where_we_were() -> None:
    host = joined()
    host.call("move", 44)
    (out,) = host.wait(60.0)
    assert isinstance(out, JoinTimedOut)
    assert out.channel_id == 44
    assert host.join.state is JoinState.JOINED
    assert host.join.info == INFO
    assert host.state() == []
    assert host.call("move", 22) == []


def test_a_move_half_answered_keeps_the_new_server() -> None:
    host = joined()
    host.call("move", 44)
    host.server(token="token-2")
    host.wait(60.0)
    assert host.join.info is not None
    assert (host.join.info.channel_id, host.join.info.token) == (22, "token-2")


def test_a_rejoin_in_the_middle_of_a_move_is_of_where_we_are() -> None:
    host = joined()
    host.call("move", 44)
    host.call("rejoin")
    assert host.state(channel_id=None) == [ASK]


def test_a_null_state_is_no_news_to_somebody_who_is_out() -> None:
    assert Host().state(channel_id=None) == []


def test_a_join_can_change_its_mind() -> None:
    host = Host()
    host.call("start")
    host.state()
    assert host.call("move", 44) == [SendVoiceState(11, 44, False, False)]
    host.server()
    (event,) = host.state(channel_id="44")
    assert event.info.channel_id == 44


def test_what_happens_later_shows_in_info() -> None:
    """A moderator moves us, the region changes: the connection hears of it from the host."""
    host = joined()
    assert host.state(channel_id="55") == []
    assert host.server(token="token-2", endpoint="b.example:1") == []
    assert host.join.info is not None
    assert host.join.info.channel_id == 55
    assert host.join.info.endpoint == "b.example:1"
    assert host.call("rejoin") == [LEAVE]
    assert host.state(channel_id=None) == [SendVoiceState(11, 55, False, False)]


@pytest.mark.parametrize(
    ("call", "args", "state"),
    [("start", (), "JOINED"), ("leave", (), "OUT"), ("rejoin", (), "OUT"), ("move", (5,), "OUT")],
)
def test_a_wrong_call_raises(call: str, args: tuple[int, ...], state: str) -> None:
    host = joined() if state == "JOINED" else Host()
    with pytest.raises(
        AlreadyConnected if call == "start" else NotConnected, match=f"{call}.*{state}"
    ):
        host.call(call, *args)
    assert host.join.poll() is None


def test_a_host_without_a_gateway_of_its_own_fails_at_once() -> None:
    host = Host()
    assert host.call("voice_state_failed", "nothing was asked") == []
    host.call("start")
    (out,) = host.call("voice_state_failed", "shard 3 is not connected")
    assert isinstance(out, JoinFailed)
    assert isinstance(out.error, GatewayUnavailable)
    assert "shard 3" in str(out.error)
    assert (out.channel_id, host.join.state, host.join.next_timeout()) == (22, JoinState.OUT, None)
    assert host.call("start") == [ASK], "it may be tried again"


def test_a_move_or_a_leave_that_can_not_be_asked_for() -> None:
    host = joined()
    host.call("move", 44)
    (out,) = host.call("voice_state_failed", "gone")
    assert out.channel_id == 44
    assert (host.join.state, host.join.info) == (JoinState.JOINED, INFO)
    host.call("leave")
    assert host.call("voice_state_failed", "gone") == [Left()]
    host = joined()
    host.call("rejoin")
    (out,) = host.call("voice_state_failed", "gone")
    assert isinstance(out, JoinFailed)
    assert host.join.state is JoinState.OUT


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_timeout_that_can_not_work_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        Join(GUILD, CHANNEL, USER, timeout=timeout)


def test_an_early_timeout_does_nothing() -> None:
    host = Host()
    host.call("handle_timeout")
    host.call("start")
    assert host.call("handle_timeout") == []
    assert host.join.state is JoinState.JOINING


def test_no_secret_shows() -> None:
    host = joined()
    for text in (repr(host.join), str(host.join), repr(Joined(INFO)), repr(host.join.info)):
        assert "token'" not in text.replace("token=<hidden>", "")
        assert "'session'" not in text
    assert "JOINED" in repr(host.join)
