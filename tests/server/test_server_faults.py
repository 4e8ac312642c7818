"""Every fault, by its method and by its text."""

from pathlib import Path

import pytest

from tests.server.world import CHANNEL_ID, SERVER_ID, Peer, World
from voicekit.close_codes import CLOSE_CODES, ClosePolicy
from voicekit.server import (
    KINDS,
    MALFORMED,
    Fault,
    FaultKind,
    HostVoiceServer,
    HostVoiceState,
    Impairment,
    parse_fault,
)
from voicekit.server.fault_specs import DELIVERY_FAULTS
from voicekit.server.mischief import Mischief

DOCS = Path(__file__).parents[2] / "docs" / "faults.md"

#: One text for each kind, and what it means.
TEXTS = {
    "close:4015@5": Fault(kind=FaultKind.CLOSE, at=5.0, value=4015),
    "close:4014,user=7@0.5": Fault(kind=FaultKind.CLOSE, at=0.5, value=4014, user_id=7),
    "drop@2.5": Fault(kind=FaultKind.DROP, at=2.5),
    "stop-acks@1": Fault(kind=FaultKind.STOP_ACKS, at=1.0, value=float("inf")),
    "stop-acks:30@1": Fault(kind=FaultKind.STOP_ACKS, at=1.0, value=30.0),
    "ask-heartbeat@1": Fault(kind=FaultKind.ASK_HEARTBEAT, at=1.0),
    "refuse-resume@0": Fault(kind=FaultKind.REFUSE_RESUME, at=0.0, value=1),
    "malformed:unknown-op@1": Fault(kind=FaultKind.MALFORMED, at=1.0, value="unknown-op"),
    "reorder:5@1": Fault(kind=FaultKind.REORDER, at=1.0, value=5),
    "duplicate@1": Fault(kind=FaultKind.DUPLICATE, at=1.0, value=1),
    "null-endpoint:3@1": Fault(kind=FaultKind.NULL_ENDPOINT, at=1.0, value=3.0),
    "move:700@1": Fault(kind=FaultKind.MOVE, at=1.0, value=700),
    "kick@1": Fault(kind=FaultKind.KICK, at=1.0),
    "network,loss=5,duplicate=1,reorder=2,delay=10,jitter=20,user=7@1": Fault(
        kind=FaultKind.NETWORK,
        at=1.0,
        value=Impairment(loss=0.05, duplicate=0.01, reorder=0.02, delay=0.01, jitter=0.02),
        user_id=7,
    ),
    "corrupt-proposals@0": Fault(kind=FaultKind.CORRUPT_PROPOSALS, at=0.0, value=1),
    "corrupt-commit:2@1": Fault(kind=FaultKind.CORRUPT_COMMIT, at=1.0, value=2),
    "corrupt-welcome,user=7@1": Fault(kind=FaultKind.CORRUPT_WELCOME, at=1.0, value=1, user_id=7),
    "wrong-external-sender@0": Fault(kind=FaultKind.WRONG_EXTERNAL_SENDER, at=0.0, value=1),
    "late-external-sender@0": Fault(kind=FaultKind.LATE_EXTERNAL_SENDER, at=0.0, value=1),
    "ghost-add:3@1": Fault(kind=FaultKind.GHOST_ADD, at=1.0, value=3),
    "drop-execute@1": Fault(kind=FaultKind.DROP_EXECUTE, at=1.0, value=1),
    "delay-execute:1.5@1": Fault(kind=FaultKind.DELAY_EXECUTE, at=1.0, value=1.5),
}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pair(world: World) -> tuple[Peer, Peer]:
    first, second = world.ready(user_id=1), world.ready(user_id=2)
    first.taken()
    second.taken()
    return first, second


# -- as text ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_read(text: str) -> None:
    assert parse_fault(text) == TEXTS[text]


def test_there_is_a_text_for_each_kind() -> None:
    assert {fault.kind for fault in TEXTS.values()} == set(FaultKind) == set(KINDS)


@pytest.mark.parametrize(
    "text",
    ["", "close", "close:4015", "close@5", "close:@5", "close:x@5", "close:99999@5", "close:1005@5",
     "close:1006@5", "close:2999@5", "drop:1@5", "drop@", "drop@-1", "drop@nan", "drop@inf",
     "drop@x", "frob@1", "reorder:0@1", "reorder:1001@1", "stop-acks:-1@1", "malformed:frob@1",
     "malformed@1", "move@1", "move:0@1", "move:x@1", "drop,user=x@1", "drop,loss=1@1",
     "network,loss=101@1", "network,loss=-1@1", "network,jitter=nan@1", "network,frob=1@1",
     "network:5@1", "delay-execute@1", "delay-execute:-1@1", "ghost-add:0@1", "drop-execute:x@1"],
)  # fmt: skip
def test_wrong_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r".{10}") as caught:
        parse_fault(text)
    assert "\n" not in str(caught.value)


def test_the_documentation_has_every_fault() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for kind, row in KINDS.items():
        value = f":{row.value}" if row.value else ""
        value = f"[:{row.value[1:-1]}]" if row.value.startswith("[") else value
        assert f"| `{kind}{value}` | {row.effect} |" in text
    for name in MALFORMED:
        assert f"`{name}`" in text


# -- scripts ------------------------------------------------------------------------------


def test_a_script_strikes_each_session_once_after_it_is_ready() -> None:
    world = World(faults=(parse_fault("close:4015@5"),))
    first = world.ready(user_id=1)
    world.run(3.0)
    second = world.ready(user_id=2)
    world.run(2.5)
    assert (first.closed, second.closed) == (4015, None)
    first.resume()
    world.run(3.0)
    assert (first.closed, second.closed) == (None, 4015)


def test_a_script_may_name_a_user() -> None:
    world = World(faults=(parse_fault("drop,user=2@1"),))
    first, second = world.ready(user_id=1), world.ready(user_id=2)
    world.run(2.0)
    assert (first.closed, second.closed) == (None, "dropped")


def test_a_script_strikes_only_the_session_it_was_set_on() -> None:
    world = World(faults=(parse_fault("drop,user=1@1"),))
    here = world.ready(user_id=1, server_id=1)
    world.run(0.5)
    there = world.ready(user_id=1, server_id=2)
    world.run(0.7)
    assert (here.closed, there.closed) == ("dropped", None)


def test_a_script_passes_over_a_session_that_has_ended() -> None:
    world = World(faults=(parse_fault("kick@1"),))
    world.ready().close(1000)
    world.run(2.0)
    assert world.events_of(HostVoiceState) == []


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_strikes(text: str) -> None:
    world = World(
        faults=(parse_fault(text),), heartbeat_interval=1000.0, default_channel_id=CHANNEL_ID
    )
    world.server.host.endpoint = "127.0.0.1:443"
    peer = world.ready(user_id=7)
    world.run(10.0)
    board = world.server._board
    struck = {
        FaultKind.CLOSE: lambda: isinstance(peer.closed, int),
        FaultKind.DROP: lambda: peer.closed == "dropped",
        FaultKind.STOP_ACKS: lambda: board.sessions[SERVER_ID, 7].acks_stopped_until > 100,
        FaultKind.ASK_HEARTBEAT: lambda: peer.data_of(3) == [None],
        FaultKind.REFUSE_RESUME: lambda: board.sessions[SERVER_ID, 7].refuse_resumes == 1,
        FaultKind.MALFORMED: lambda: peer.data_of(99) == [{"unheard": "of"}],
        FaultKind.REORDER: lambda: peer.closed is None,
        FaultKind.DUPLICATE: lambda: peer.closed is None,
        FaultKind.NULL_ENDPOINT: lambda: len(world.events_of(HostVoiceServer)) == 2,
        FaultKind.MOVE: lambda: world.events_of(HostVoiceState)[0].channel_id == 700,
        FaultKind.KICK: lambda: world.events_of(HostVoiceState)[0].channel_id is None,
        FaultKind.NETWORK: lambda: board.sessions[SERVER_ID, 7].network is not None,
    }
    fault = TEXTS[text]
    if fault.kind in DELIVERY_FAULTS:
        [room] = board.rooms
        assert room.encryption is not None
        faults = room.encryption.faults_of(7)
        assert getattr(faults, DELIVERY_FAULTS[fault.kind]) == fault.value
    else:
        assert struck[fault.kind]()


# -- the socket ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [*sorted(set(CLOSE_CODES) - {1005, 1006}), 4321])
def test_close_keeps_the_session_where_clients_resume(
    world: World, pair: tuple[Peer, Peer], code: int
) -> None:
    peer, other = pair
    world.server.faults.close(code, world.now, user_id=1)
    world.drain()
    assert (peer.closed, other.closed) == (code, None)
    resumes = code not in CLOSE_CODES or CLOSE_CODES[code].policy is ClosePolicy.RESUME
    assert other.ops() == ([] if resumes else [13])
    peer.resume()
    assert peer.closed == (None if resumes else 4006)


def test_close_strikes_everybody(world: World, pair: tuple[Peer, Peer]) -> None:
    world.server.faults.close(4015, world.now)
    world.server.faults.close(4015, world.now)  # nobody is left: nothing happens
    world.drain()
    assert [peer.closed for peer in pair] == [4015, 4015]


def test_drop_keeps_the_session(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    world.server.faults.drop(world.now, user_id=1)
    world.drain()
    assert (peer.closed, other.ops()) == ("dropped", [])
    peer.resume()
    assert peer.ops() == [8, 9]


def test_refused_resumes(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    world.server.faults.refuse_resume(1, world.now, user_id=1)
    peer.close(None)
    peer.resume()
    assert peer.closed == 4006
    assert other.ops() == [13]


# -- messages ------------------------------------------------------------------------------


def test_acks_stop_for_a_while(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    world.server.faults.stop_acks(world.now, seconds=5.0, user_id=1)
    for each in pair:
        each.send(3, {"t": 1, "seq_ack": -1})
    assert (peer.ops(), other.ops()) == ([], [6])
    world.run(5.0)
    peer.send(3, {"t": 2, "seq_ack": -1})
    assert peer.ops() == [6]


def test_acks_stay_away_after_a_resume(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, _ = pair
    world.server.faults.stop_acks(world.now)
    peer.close(4000)
    peer.resume()
    peer.taken()
    peer.send(3, {"t": 1, "seq_ack": -1})
    assert peer.ops() == []


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_messages_go_out_as_they_are(name: str) -> None:
    from voicekit.server import SendBinary, SendText

    world = World()
    world.ready()
    world.server.faults.malformed(name, world.now)
    output = world.server.poll()
    assert isinstance(output, SendText | SendBinary)
    message = output.text if isinstance(output, SendText) else output.data
    assert message == MALFORMED[name]()
    assert world.server.poll() is None


def test_any_message_can_be_said(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, _ = pair
    world.server.faults.say(20, {"user_id": "9", "platform": 1}, world.now, user_id=1)
    world.server.faults.say(99, [], world.now, user_id=1)
    world.server.faults.say_binary(30, b"welcome", world.now, user_id=1)
    world.drain()
    assert [(m["op"], m.get("seq")) for m in peer.taken()] == [(20, 2), (99, None)]
    assert peer.binary == [b"\0\3\x1ewelcome"]


def test_messages_in_reverse(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    world.server.faults.reorder(3, world.now, user_id=1)
    for flags in (1, 2, 3, 4):
        other.speak(flags)
    assert [m["d"]["speaking"] for m in peer.taken()] == [3, 2, 1, 4]


def test_collected_messages_do_not_wait_forever(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    world.server.faults.reorder(3, world.now, user_id=1)
    other.speak(1)
    world.run(0.4)
    assert peer.ops() == []
    world.run(0.2)
    other.speak(0)
    assert peer.ops() == [5, 5]


def test_messages_twice(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    world.server.faults.duplicate(2, world.now, user_id=1)
    for flags in (1, 2, 3):
        other.speak(flags)
    assert [m["d"]["speaking"] for m in peer.taken()] == [1, 1, 2, 2, 3]


def test_twice_and_in_reverse() -> None:
    mischief = Mischief()
    mischief.duplicates, mischief.reverse = 1, 2
    assert mischief.apply("a") == []
    assert mischief.apply("b") == ["b", "a", "a"]
    assert mischief.apply("c") == ["c"]


# -- the host ------------------------------------------------------------------------------


@pytest.mark.parametrize("close_first", [False, True])
def test_kick(world: World, pair: tuple[Peer, Peer], close_first: bool) -> None:
    peer, other = pair
    world.server.faults.kick(world.now, user_id=1, close_first=close_first)
    order = []
    while (output := world.server.poll()) is not None:
        order.append(type(output).__name__)
    assert order[:2] == (
        ["CloseWebSocket", "SessionEnded"] if close_first else ["HostVoiceState", "CloseWebSocket"]
    )
    assert "HostVoiceState" in order
    assert [s.close_code for s in world.server.stats() if s.user_id == 1] == [4014]
    assert peer.user_id != other.user_id


def test_a_kicked_user_may_join_again(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, _ = pair
    world.server.faults.kick(world.now, user_id=1)
    world.drain()
    [state] = world.events_of(HostVoiceState)
    assert (state.user_id, state.channel_id, state.session_id) == (1, None, "session-1")
    assert world.ready(user_id=1).closed is None
    assert peer.closed == 4014


@pytest.mark.parametrize("close_first", [False, True])
def test_move(world: World, pair: tuple[Peer, Peer], close_first: bool) -> None:
    peer, other = pair
    world.server.host.endpoint = "localhost:443"
    world.server.faults.move(700, world.now, user_id=1, close_first=close_first)
    world.drain()
    assert peer.closed == 4014
    assert other.ops() == [13]
    [state] = world.events_of(HostVoiceState)
    [server] = world.events_of(HostVoiceServer)
    assert state.data["channel_id"] == "700"
    assert server.data == {
        "guild_id": str(SERVER_ID),
        "token": server.token,
        "endpoint": "localhost:443",
    }
    # The old token is worth nothing any more, the new one leads to the new channel.
    peer.connect()
    peer.identify()
    assert peer.closed == 4004
    peer.token = server.token
    peer.connect()
    peer.identify()
    assert peer.closed is None
    assert peer.stats.channel_id == 700
    assert other.ops() == []


def test_a_null_endpoint_comes_back(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, _ = pair
    world.server.host.endpoint = "localhost:443"
    world.server.faults.null_endpoint(world.now, seconds=3.0, user_id=1)
    world.drain()
    peer.close(1000)  # as clients do then
    world.run(4.0)
    updates = world.events_of(HostVoiceServer)
    assert [u.endpoint for u in updates] == [None, "localhost:443"]
    assert {u.token for u in updates} == {"token"}


def test_a_null_endpoint_for_good(world: World, pair: tuple[Peer, Peer]) -> None:
    world.server.faults.null_endpoint(world.now)
    world.run(10.0)
    world.drain()
    assert [u.endpoint for u in world.events_of(HostVoiceServer)] == [None, None]


# -- the network ---------------------------------------------------------------------------


def test_a_network_may_turn_bad_and_good_again(world: World, pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.speak()
    talker.play(10)
    world.server.faults.network(Impairment(loss=1.0), world.now, user_id=2)
    talker.play(10)
    world.server.faults.network(Impairment(), world.now, user_id=2)
    talker.play(10)
    assert listener.stats.dropped_to == 10
    assert len(listener.heard()) == 20


# -- the host alone --------------------------------------------------------------------------


def test_a_join_through_the_host(world: World) -> None:
    host = world.server.host
    host.endpoint = "localhost:443"
    host.join(SERVER_ID, CHANNEL_ID, 1, world.now)
    world.drain()
    [state] = world.events_of(HostVoiceState)
    [server] = world.events_of(HostVoiceServer)
    assert state.channel_id == CHANNEL_ID
    assert state.data["guild_id"] == server.data["guild_id"] == str(SERVER_ID)
    for wrong, code in (({"token": "x"}, 4004), ({"session_id": "x"}, 4006)):
        peer = world.peer(session_id=state.session_id, token=server.token)
        peer.connect()
        peer.identify(**wrong)
        assert peer.closed == code
    peer = world.peer(session_id=state.session_id, token=server.token, version=9, channel_id=1)
    peer.connect()
    peer.identify()
    assert peer.closed == 4006  # not where it was placed
    peer = world.ready(session_id=state.session_id, token=server.token)
    assert peer.stats.channel_id == CHANNEL_ID


def test_a_second_join_is_a_move(world: World) -> None:
    host = world.server.host
    host.join(SERVER_ID, 1, 1, world.now)
    host.join(SERVER_ID, 2, 1, world.now)
    world.drain()
    states, servers = world.events_of(HostVoiceState), world.events_of(HostVoiceServer)
    assert [s.channel_id for s in states] == [1, 2]
    assert states[0].session_id == states[1].session_id
    assert servers[0].token != servers[1].token


def test_leaving_before_anything_happened(world: World) -> None:
    host = world.server.host
    host.leave(SERVER_ID, 1, world.now)
    host.move(SERVER_ID, 1, 2, world.now)
    host.update_server(SERVER_ID, 1, None)
    host.join(SERVER_ID, 1, 1, world.now)
    host.leave(SERVER_ID, 1, world.now)
    world.drain()
    assert [s.channel_id for s in world.events_of(HostVoiceState)] == [1, None]
    assert host.placement(SERVER_ID, 1) is None
