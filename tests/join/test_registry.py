"""Connections by guild and channel, on a virtual clock: the host is simulated."""

import itertools
import threading
from typing import Any

import pytest

from voicekit import Config, Registry, VoiceConnection, VoiceServerInfo
from voicekit.connection_kinds import BareConnections
from voicekit.errors import ConnectFailed, GatewayUnavailable, LocalProtocolError
from voicekit.events import Closed
from voicekit.join import SendVoiceState
from voicekit.outputs import OpenWebSocket
from voicekit.registry_events import (
    CallFailed,
    ChannelJoined,
    ChannelLeft,
    ChannelMoved,
    ChannelNotJoined,
)

USER = 33


class Connection:
    """What a host may have: it keeps what it is told, and fails where it is to."""

    def __init__(self, info: VoiceServerInfo) -> None:
        self.info = info
        self.told: list[Any] = []
        self.live = True
        self.broken = False


class Kind:
    """How the registry is to treat a `Connection`."""

    def is_live(self, connection: Connection, /) -> bool:
        return connection.live

    def update_voice_state(
        self, connection: Connection, channel_id: int | None, session_id: str, now: float, /
    ) -> None:
        connection.told.append(("state", channel_id, session_id))

    def update_voice_server(
        self, connection: Connection, token: str, endpoint: str | None, now: float, /
    ) -> None:
        connection.told.append(("server", token, endpoint))

    def stop(self, connection: Connection, now: float, /) -> None:
        if connection.broken:
            raise RuntimeError("broken")
        connection.told.append("stop")

    def close(self, connection: Connection, now: float, /) -> None:
        if connection.broken:
            raise RuntimeError("broken")
        connection.live = False


class Host:
    """A registry, a clock, and a main gateway that is told op 4."""

    def __init__(self, **settings: Any) -> None:
        self.asked: list[SendVoiceState] = []
        self.now = 50.0
        self.registry: Registry[Connection] = Registry(USER, self.send, Kind(), **settings)

    def send(self, op4: SendVoiceState) -> None:
        self.asked.append(op4)

    def events(self) -> list[Any]:
        events = []
        while (event := self.registry.poll()) is not None:
            events.append(event)
        return events

    def state(self, guild: int, channel: int | None, **changes: Any) -> list[Any]:
        event = {
            "guild_id": str(guild),
            "channel_id": None if channel is None else str(channel),
            "user_id": str(USER),
            "session_id": f"session {channel}",
        }
        self.registry.receive_voice_state(event | changes, self.now)
        return self.events()

    def server(self, guild: int, token: str, **changes: Any) -> list[Any]:
        event = {"guild_id": str(guild), "token": token, "endpoint": "a.example:2048"}
        self.registry.receive_voice_server(event | changes, self.now)
        return self.events()

    def wait(self, seconds: float) -> list[Any]:
        end = self.now + seconds
        events = []
        while (due := self.registry.next_timeout()) is not None and due <= end:
            self.now = due
            self.registry.handle_timeout(due)
            events += self.events()
        self.now = end
        return events

    def join(self, guild: int, channel: int, **settings: Any) -> Connection:
        """Join as the guide says: create, both events, put."""
        assert self.registry.create(guild, channel, self.now, **settings) is None
        self.state(guild, channel)
        (joined,) = self.server(guild, f"token {channel}")
        assert isinstance(joined, ChannelJoined)
        assert (joined.guild_id, joined.channel_id) == (guild, channel)
        assert joined.info.token == f"token {channel}"
        connection = Connection(joined.info)
        assert self.registry.put(guild, channel, connection, self.now)
        return connection


def test_create_asks_once_and_then_returns_the_live_connection() -> None:
    host = Host()
    connection = host.join(1, 10, mute=True, deaf=True)
    assert host.asked == [SendVoiceState(1, 10, True, True)]
    assert host.registry.create(1, 10, host.now) is connection
    assert host.registry.get(1, 10) is connection
    assert host.registry.is_connected(1, 10)
    assert not host.registry.is_connected(1, 11)
    assert host.registry.get(2, 10) is None
    assert len(host.asked) == 1


def test_asking_again_while_on_the_way_asks_nothing() -> None:
    host = Host()
    for _ in range(3):
        assert host.registry.create(1, 10, host.now) is None
    assert len(host.asked) == 1


def test_a_connection_that_ended_is_made_anew_in_a_new_session() -> None:
    host = Host()
    host.join(1, 10).live = False
    assert not host.registry.is_connected(1, 10)
    assert host.registry.create(1, 10, host.now) is None
    assert host.asked[1:] == [SendVoiceState(1, None, False, False)]
    host.state(1, None)
    host.state(1, 10, session_id="session 2")
    (joined,) = host.server(1, "token 2")
    assert (joined.info.session_id, joined.info.token) == ("session 2", "token 2")


EVENTS = [("state", 10), ("state", 20), ("server", 10), ("server", 20)]


def orders(named: str | None) -> list[tuple[tuple[str, int], ...]]:
    """The orders of answers that a host can give so that one can tell what belongs together."""
    found = []
    for order in itertools.permutations(EVENTS):
        states = [channel for kind, channel in order if kind == "state"]
        servers = [channel for kind, channel in order if kind == "server"]
        early = [c for c in states if order.index(("server", c)) < order.index(("state", c))]
        if named is None and states != servers:
            continue  # without a name, one op 4 is answered after the other
        if named == "connection_id" and early:
            continue  # the state update introduces the id
        found.append(order)
    return found


@pytest.mark.parametrize(
    ("named", "order"),
    [(named, o) for named in ("channel_id", "connection_id", None) for o in orders(named)],
)
def test_channels_of_one_guild_do_not_mix(
    named: str | None, order: tuple[tuple[str, int], ...]
) -> None:
    host = Host()
    host.registry.create(1, 10, host.now)
    host.registry.create(1, 20, host.now)
    events = []
    for kind, channel in order:
        name = {} if named is None else {named: str(channel)}
        if kind == "state":
            events += host.state(1, channel, **({} if named == "channel_id" else name))
        else:
            events += host.server(1, f"token {channel}", **name)
    infos = {event.channel_id: event.info for event in events}
    assert {channel: (info.token, info.session_id) for channel, info in infos.items()} == {
        channel: (f"token {channel}", f"session {channel}") for channel in (10, 20)
    }
    assert host.registry.unmatched == 0


def test_what_is_for_one_channel_reaches_no_other() -> None:
    host = Host()
    one, two, elsewhere = host.join(1, 10), host.join(1, 20), host.join(2, 10)
    host.server(1, "new", channel_id="20")
    host.state(1, 20, session_id="new session")
    assert two.told == [("server", "new", "a.example:2048"), ("state", 20, "new session")]
    assert one.told == elsewhere.told == []
    host.server(1, "for whom?")
    assert one.told == [], "a token in the wrong session is a call that ends with 4004"
    assert host.registry.unmatched == 1


def test_a_channel_that_does_not_answer_does_not_take_the_others_server() -> None:
    host = Host()
    host.registry.create(1, 10, host.now)
    host.registry.create(1, 20, host.now)
    assert host.server(1, "token 20") == []
    (joined,) = host.state(1, 20)
    assert (joined.channel_id, joined.info.token) == (20, "token 20")
    (failed,) = host.wait(60.0)
    assert (type(failed), failed.channel_id) == (ChannelNotJoined, 10)
    assert isinstance(failed.error, ConnectFailed)


def test_an_unanswered_join_is_over_and_may_be_tried_again() -> None:
    host = Host(timeout=5.0)
    host.registry.create(1, 10, host.now)
    assert host.wait(4.9) == []
    (failed,) = host.wait(0.1)
    assert isinstance(failed, ChannelNotJoined)
    assert host.asked[1] == SendVoiceState(1, None, False, False)
    assert host.registry.next_timeout() is None
    host.join(1, 10)


def test_an_op_4_that_can_not_be_sent_is_known_at_once() -> None:
    host = Host()

    def send(op4: SendVoiceState) -> None:
        raise OSError("the gateway is reconnecting")

    host.registry._send_voice_state = send
    host.registry.create(1, 10, host.now)
    failed, refused = host.events()
    assert isinstance(failed, CallFailed)
    assert isinstance(failed.error, OSError)
    assert isinstance(refused, ChannelNotJoined)
    assert isinstance(refused.error, GatewayUnavailable)
    assert host.registry.next_timeout() is None


def test_remove_forgets_and_sends_nothing() -> None:
    host = Host()
    connection = host.join(1, 10)
    assert host.registry.remove(1, 10) is connection
    assert host.registry.remove(1, 10) is None
    assert connection.live
    assert len(host.asked) == 1
    assert host.state(1, None) == []


def test_for_each_calls_all_and_may_change_the_registry() -> None:
    host = Host()
    connections = {host.join(guild, channel) for guild in (1, 2) for channel in (10, 20)}
    seen = set()

    def visit(connection: Connection) -> None:
        seen.add(connection)
        host.registry.remove(connection.info.server_id, connection.info.channel_id)
        if connection.info.channel_id == 10:
            raise RuntimeError("visited")

    host.registry.for_each(visit)
    assert seen == connections
    assert [type(event) for event in host.events()] == [CallFailed, CallFailed]
    assert list(host.registry) == []


def test_disconnecting_closes_and_leaves() -> None:
    host = Host()
    connection = host.join(1, 10)
    host.registry.disconnect(1, 10, host.now)
    assert not connection.live
    assert host.registry.get(1, 10) is None
    assert host.asked[1:] == [SendVoiceState(1, None, False, False)]
    assert host.state(1, None) == [ChannelLeft(1, 10)]
    assert host.registry.next_timeout() is None


def test_joining_again_while_leaving_is_a_join() -> None:
    host = Host()
    host.join(1, 10)
    host.registry.disconnect(1, 10, host.now)
    assert host.registry.create(1, 10, host.now) is None
    assert host.state(1, None) == []
    host.state(1, 10)
    (joined,) = host.server(1, "token 2")
    assert isinstance(joined, ChannelJoined)


@pytest.mark.parametrize("broken", ["connection", "host"])
def test_one_failure_does_not_keep_the_others(broken: str) -> None:
    host = Host()
    connections = [host.join(guild, channel) for guild in (1, 2) for channel in (10, 20)]
    connections[1].broken = broken == "connection"
    if broken == "host":

        def send(op4: SendVoiceState) -> None:
            if len(host.asked) == 5:
                host.asked.append(op4)
                raise OSError("the socket is gone")
            host.asked.append(op4)

        host.registry._send_voice_state = send
    host.registry.disconnect_all(host.now)
    failed, *_ = host.events()
    assert (failed.guild_id, failed.channel_id) == (1, 20)
    assert failed.doing == {"connection": "close", "host": "send_voice_state"}[broken]
    assert [c.live for c in connections] == [False, broken == "connection", False, False]
    assert len(host.asked) == 8
    assert list(host.registry) == []
    left = host.wait(60.0)
    assert {type(event) for event in left} == {ChannelLeft}


def test_disconnecting_a_guild_leaves_the_other_guilds() -> None:
    host = Host()
    one, two, other = host.join(1, 10), host.join(1, 20), host.join(2, 10)
    host.registry.disconnect_guild(1, host.now)
    assert (one.live, two.live, other.live) == (False, False, True)
    assert host.state(1, None) == [ChannelLeft(1, 10)]
    assert host.state(1, None) == [ChannelLeft(1, 20)]
    host.registry.disconnect_guild(99, host.now)


def test_stopping_a_guild_keeps_its_connections() -> None:
    host = Host()
    one, two, other = host.join(1, 10), host.join(1, 20), host.join(2, 10)
    one.broken = True
    host.registry.stop_guild(1, host.now)
    assert (two.told, other.told) == (["stop"], [])
    assert host.registry.is_connected(1, 10)
    assert [event.doing for event in host.events()] == ["stop"]


def test_a_kick_closes_the_connection() -> None:
    host = Host()
    connection = host.join(1, 10)
    assert host.state(1, None) == [ChannelLeft(1, 10)]
    assert connection.told == [("state", None, "session None")]
    assert not connection.live
    assert host.registry.get(1, 10) is None


def test_being_moved_changes_the_channel_of_the_connection() -> None:
    host = Host()
    connection = host.join(1, 10)
    assert host.state(1, 20) == [ChannelMoved(1, 20, 10)]
    assert host.registry.get(1, 20) is connection
    assert host.registry.get(1, 10) is None
    assert connection.told == [("state", 20, "session 20")]


def test_of_several_the_one_whose_session_it_is_was_moved() -> None:
    host = Host()
    host.join(1, 10)
    connection = host.join(1, 20)
    assert host.state(1, 30, session_id="session 20") == [ChannelMoved(1, 30, 20)]
    assert host.registry.get(1, 30) is connection


def test_moving_keeps_the_connection() -> None:
    host = Host()
    connection = host.join(1, 10)
    host.registry.move(1, 10, 20, host.now)
    assert host.asked[1:] == [SendVoiceState(1, 20, False, False)]
    host.state(1, 20)
    assert host.server(1, "token 2") == [ChannelMoved(1, 20, 10)]
    assert host.registry.get(1, 20) is connection
    assert connection.told == [("state", 20, "session 20"), ("server", "token 2", "a.example:2048")]


def test_a_move_that_is_not_answered_changes_nothing() -> None:
    host = Host()
    connection = host.join(1, 10)
    host.registry.move(1, 10, 20, host.now)
    (failed,) = host.wait(60.0)
    assert (type(failed), failed.channel_id) == (ChannelNotJoined, 20)
    assert host.registry.get(1, 10) is connection


def test_where_a_member_is_in_one_channel_another_one_is_a_move() -> None:
    host = Host(one_per_guild=True)
    connection = host.join(1, 10)
    assert host.registry.create(1, 20, host.now, mute=True) is None
    assert host.asked[1:] == [SendVoiceState(1, 20, True, False)]
    host.state(1, 20)
    host.server(1, "token 2")
    assert host.registry.create(1, 20, host.now) is connection
    host.registry.disconnect(1, 20, host.now)
    assert host.registry.create(1, 30, host.now) is None
    assert host.asked[-1] == SendVoiceState(1, 30, False, False)


def test_muting_and_deafening_go_out_by_op_4() -> None:
    host = Host()
    host.join(1, 10)
    host.registry.set_self(1, 10, host.now, mute=True)
    host.registry.set_self(1, 10, host.now, deaf=True)
    host.registry.set_self(1, 10, host.now, mute=False)
    assert [(op4.mute, op4.deaf) for op4 in host.asked] == [
        (False, False),
        (True, False),
        (True, True),
        (False, True),
    ]
    assert {op4.channel_id for op4 in host.asked} == {10}


def test_a_rejoin_is_told_to_the_connection_that_asked_for_it() -> None:
    host = Host()
    connection = host.join(1, 10)
    host.registry.rejoin(1, 10, host.now)
    host.state(1, None)
    host.state(1, 10, session_id="session 2")
    assert host.server(1, "token 2") == [], "it is the same connection"
    assert connection.told == [
        ("state", None, "session None"),
        ("state", 10, "session 2"),
        ("server", "token 2", "a.example:2048"),
    ]
    assert [op4.channel_id for op4 in host.asked] == [10, None, 10]


def test_what_comes_while_the_connection_is_being_made_is_told_to_it() -> None:
    host = Host()
    host.registry.create(1, 10, host.now)
    host.state(1, 10)
    (joined,) = host.server(1, "token")
    host.state(1, 20)
    host.server(1, "token 2", endpoint="b.example:1")
    connection = Connection(joined.info)
    assert host.registry.put(1, 20, connection, host.now)
    assert connection.told == [("state", 20, "session 20"), ("server", "token 2", "b.example:1")]
    assert host.registry.get(1, 20) is connection


def test_a_connection_that_comes_too_late_is_closed() -> None:
    host = Host()
    host.registry.create(1, 10, host.now)
    host.state(1, 10)
    (joined,) = host.server(1, "token")
    host.state(1, None)
    connection = Connection(joined.info)
    assert not host.registry.put(1, 10, connection, host.now)
    assert not connection.live


def test_a_host_may_name_connections() -> None:
    host = Host()
    assert host.registry.connection_id(1, 10) is None
    host.registry.create(1, 10, host.now)
    host.state(1, 10)
    host.server(1, "token", connection_id="c-1")
    assert host.registry.connection_id(1, 10) == "c-1"


VALUES: list[object] = [None, 5, "x", [], {}, True, -1, 1.5, "9" * 40, 1 << 70]


@pytest.mark.parametrize(
    "name",
    ["guild_id", "channel_id", "user_id", "session_id", "token", "endpoint", "connection_id"],
)
def test_malformed_events_raise_nothing(name: str) -> None:
    host = Host()
    host.join(1, 10)
    host.join(1, 20)
    host.registry.create(1, 30, host.now)
    event = {"guild_id": "1", "channel_id": "30", "user_id": str(USER), "session_id": "s"}
    event |= {"token": "t", "endpoint": "a.example"}
    for value in VALUES:
        host.registry.receive_voice_state(event | {name: value}, host.now)
        host.registry.receive_voice_server(event | {name: value}, host.now)
    host.registry.receive_voice_state({}, host.now)
    host.registry.receive_voice_server({}, host.now)
    assert not any(isinstance(event, CallFailed) for event in host.events())


def test_other_users_and_guilds_are_passed_over() -> None:
    host = Host()
    connection = host.join(1, 10)
    assert host.state(1, None, user_id="34") == []
    assert host.state(2, None) == []
    assert host.server(2, "token") == []
    assert connection.told == []


@pytest.mark.parametrize(
    ("call", "arguments", "match"),
    [
        ("disconnect", (1, 99, 0.0), "create it first"),
        ("move", (1, 99, 10, 0.0), "create it first"),
        ("move", (1, 10, 20, 0.0), "disconnect from it first"),
        ("rejoin", (1, 99, 0.0), "create it first"),
        ("set_self", (2, 10, 0.0), "create it first"),
        ("create", (None, 10, 0.0), "guild_id is None"),
        ("create", (1, None, 0.0), "channel_id is None"),
        ("create", (1, "10", 0.0), "channel_id is an id"),
        ("create", (1, True, 0.0), "channel_id is an id"),
        ("put", (1, 10, Connection(None), 0.0), "live connection already"),  # type: ignore[arg-type]
    ],
)
def test_mistakes_say_what_to_do(call: str, arguments: tuple[Any, ...], match: str) -> None:
    host = Host()
    host.join(1, 10)
    host.join(1, 20)
    with pytest.raises(LocalProtocolError, match=match):
        getattr(host.registry, call)(*arguments)
    assert len(list(host.registry)) == 2


def test_two_threads_at_once_are_a_mistake() -> None:
    host = Host()
    caught: list[BaseException] = []

    def call_from_another_thread(op4: SendVoiceState) -> None:
        def call() -> None:
            try:
                host.registry.create(1, 20, 0.0)
            except BaseException as error:
                caught.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    host.registry._send_voice_state = call_from_another_thread
    host.registry.create(1, 10, host.now)
    (error,) = caught
    assert isinstance(error, LocalProtocolError)
    assert "from one thread" in str(error)


def test_a_host_may_answer_from_inside_op_4() -> None:
    """A gateway in the same process answers before `create` has returned."""
    host = Host()

    def answer(op4: SendVoiceState) -> None:
        host.registry.receive_voice_state(
            op4.payload | {"user_id": str(USER), "session_id": "s"}, host.now
        )
        host.registry.receive_voice_server(
            {"guild_id": "1", "token": "t", "endpoint": "a.example"}, host.now
        )

    host.registry._send_voice_state = answer
    host.registry.create(1, 10, host.now)
    (joined,) = host.events()
    assert isinstance(joined, ChannelJoined)
    host.registry.put(1, 10, Connection(joined.info), host.now)
    host.registry.disconnect(1, 10, host.now)
    assert host.events() == [ChannelLeft(1, 10)]


def test_bare_connections_are_drained_after_each_change() -> None:
    drained: list[Any] = []

    def drain(connection: VoiceConnection) -> None:
        while (item := connection.poll()) is not None:
            drained.append(item)

    registry = Registry(USER, lambda op4: None, BareConnections(drain))
    for channel in (10, 20):
        registry.create(1, channel, 0.0)
        state = {"guild_id": 1, "channel_id": channel, "user_id": USER, "session_id": "s"}
        registry.receive_voice_state(state, 0.0)
        registry.receive_voice_server(
            {"guild_id": 1, "token": "t", "endpoint": "a.example", "channel_id": channel}, 0.0
        )
        joined = registry.poll()
        assert isinstance(joined, ChannelJoined)
        connection = VoiceConnection(joined.info, config=Config(dave=False))
        connection.start(0.0)
        registry.put(1, channel, connection, 0.0)
        drain(connection)
    registry.stop_guild(1, 1.0)
    registry.receive_voice_server(
        {"guild_id": 1, "token": "t", "endpoint": "b.example", "channel_id": 20}, 1.0
    )
    opened = [item.url for item in drained if isinstance(item, OpenWebSocket)]
    assert opened == [f"wss://{host}.example/?v=8" for host in "aab"]
    registry.disconnect_all(2.0)
    assert len([item for item in drained if isinstance(item, Closed)]) == 2
    assert list(registry) == []
    assert "2 channels" in repr(registry)
