"""What the server does not put up with, and that it shuts down in order."""

import json
import subprocess
import sys

import msgspec
import pytest

from tests.server.world import World
from voicekit.errors import LocalProtocolError, ModeUnavailable
from voicekit.server import ServerConfig, SessionEnded, VoiceServer, parse_fault


def test_a_large_message_closes_1009() -> None:
    world = World(max_message_size=1000)
    text, binary = world.ready(user_id=1), world.ready(user_id=2)
    text.text(" " * 1000 + "{}")
    binary.send_binary(b"\x1a" + bytes(1000))
    assert text.closed == binary.closed == 1009
    assert text.stats.messages_bad == {"too_large": 1}


def test_too_many_messages_close_4021() -> None:
    world = World(message_rate=10.0, message_burst=20.0)
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    for _ in range(40):
        if peer.closed is None:
            peer.speak()
    assert peer.closed == 4021
    assert other.data_of(13) == [{"user_id": "1"}]
    assert len(other.data_of(5)) == 18


def test_heartbeats_at_the_usual_rate_are_never_too_many() -> None:
    world = World(heartbeat_interval=1.0)
    peer = world.ready()
    for _ in range(1000):
        world.run(0.5)
        peer.send(3, {"t": 1, "seq_ack": 0})
    assert peer.closed is None


@pytest.mark.parametrize("talk", [False, True])
def test_who_does_not_identify_in_time_is_closed_4003(talk: bool) -> None:
    world = World(identify_timeout=5.0)
    peer = world.peer()
    peer.connect()
    for _ in range(6):
        if talk and peer.closed is None:
            peer.send(3, {"t": 1})  # heartbeats are not enough
        world.run(1.0)
    assert peer.closed == 4003


def test_strangers_are_limited_and_members_are_not() -> None:
    world = World(max_strangers=3)
    members = [world.ready(user_id=n) for n in range(1, 6)]
    strangers = [world.peer(user_id=9) for _ in range(4)]
    for stranger in strangers:
        stranger.connect()
    assert [s.closed for s in strangers] == [None, None, None, 1013]
    assert all(m.closed is None for m in members)
    strangers[0].close()
    strangers[3].connect()
    assert strangers[3].closed is None
    assert world.server.server_stats().strangers == 3


def test_sessions_are_limited_but_may_be_replaced() -> None:
    world = World(max_sessions=2)
    first, second = world.ready(user_id=1), world.ready(user_id=2)
    third = world.peer(user_id=3)
    third.connect()
    third.identify()
    assert third.closed == 1013
    assert world.ready(user_id=1).closed is None
    assert (first.closed, second.closed) == (4006, None)
    second.close(1000)
    assert world.ready(user_id=3).closed is None


def test_detached_sessions_count() -> None:
    world = World(max_sessions=1)
    world.ready(user_id=1).close(None)
    other = world.peer(user_id=2)
    other.connect()
    other.identify()
    assert other.closed == 1013


def test_only_so_many_accounts_of_the_past_are_kept() -> None:
    world = World(max_ended=10)
    for user_id in range(1, 30):
        world.ready(user_id=user_id).close(1000)
    assert [s.user_id for s in world.server.stats()] == list(range(20, 30))


def test_late_input_of_closed_sockets_is_counted() -> None:
    world = World()
    peer = world.ready()
    peer.close(1000)
    peer.text("{}")
    peer.send_binary(b"")
    world.server.websocket_closed(peer.link, 1000, world.now)
    world.server.websocket_closed(12345, None, world.now)
    assert world.server.server_stats().late_inputs == 2


def test_guesses_at_a_clients_key_from_elsewhere_are_limited() -> None:
    world = World(stranger_rate=10.0, stranger_burst=5.0)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    forged = talker.seal()[:-1] + b"\xff"
    for _ in range(100):
        world.datagram(forged)
    talker.play(50)
    assert world.server.server_stats().datagrams_dropped == {
        "undecryptable": 5,
        "rate_limited": 95,
    }
    assert len(listener.heard()) == 50


def test_stop_closes_everything() -> None:
    world = World(faults=(parse_fault("kick@1000"),), rtcp=True)
    member, stranger = world.ready(user_id=1), world.peer(user_id=2)
    stranger.connect()
    world.ready(user_id=3).close(None)
    world.server.stop(world.now)
    world.drain()
    assert (member.closed, stranger.closed) == (1001, 1001)
    assert len(world.events_of(SessionEnded)) == 2
    assert world.server.next_timeout() is None
    assert [s.state for s in world.server.stats()] == ["ended", "ended"]
    with pytest.raises(LocalProtocolError):
        world.server.websocket_opened(99, "/?v=8", world.now)


def test_a_mode_that_is_not_there_can_not_be_offered() -> None:
    with pytest.raises(ModeUnavailable, match="xsalsa"):
        VoiceServer(ServerConfig(modes=("xsalsa20_poly1305",)))


def test_accounts_are_json() -> None:
    world = World()
    talker = world.ready(user_id=1)
    talker.speak()
    talker.play(2, ssrc=7)
    talker.close(1000)
    [account] = json.loads(msgspec.json.encode(world.server.stats()))
    assert account["packets_bad"] == {"wrong_ssrc": 2}
    assert {"user_id", "mode", "dave_version", "packets_valid", "resumes", "dropped_to"} <= set(
        account
    )
    assert json.loads(msgspec.json.encode(world.server.server_stats()))["sessions"] == 0


def test_wrong_calls_raise() -> None:
    server = VoiceServer()
    with pytest.raises(LocalProtocolError, match="start"):
        server.websocket_opened(1, "/?v=8", 0.0)
    server.start(0.0)
    with pytest.raises(LocalProtocolError, match="set_udp_address"):
        server.websocket_opened(1, "/?v=8", 0.0)
    server.set_udp_address("127.0.0.1", 1)
    server.websocket_opened(1, "/?v=8", 0.0)
    with pytest.raises(LocalProtocolError, match="already open"):
        server.websocket_opened(1, "/?v=8", 0.0)


@pytest.mark.parametrize(
    "wrong",
    [{"min_version": 3}, {"max_version": 10}, {"min_version": 9, "max_version": 8}, {"modes": ()},
     {"heartbeat_interval": 0}, {"heartbeat_interval": float("nan")}, {"resume_window": -1},
     {"identify_timeout": float("inf")}, {"replay_buffer": 0}, {"replay_buffer": 40_000},
     {"extensions": ("video",)}, {"padding": 256}, {"padding": -1}, {"audio_level": 128},
     {"loss": 1.5}, {"jitter": -1}, {"hello_delay": -1}, {"max_sessions": 0}, {"message_rate": 0}],
)  # fmt: skip
def test_settings_that_can_not_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".{10}"):
        ServerConfig(**wrong)  # type: ignore[arg-type]


def test_secrets_stay_out_of_reprs() -> None:
    world = World(token="hush-token")
    world.server.host.join(1, 2, 3, world.now)
    peer = world.ready(user_id=5, token="hush-token", session_id="hush-session")
    world.server.faults.move(7, world.now, user_id=5)
    world.server.faults.kick(world.now)
    outputs = []
    while (output := world.server.poll()) is not None:
        outputs.append(repr(output))
    board = world.server._board
    text = " ".join([*outputs, repr(world.server.stats()), repr(board.sessions), repr(board.ended)])
    placement = world.server.host.placement(1, 3)
    assert placement is not None
    text += repr(placement)
    for secret in ("hush-token", "hush-session", placement.token, placement.session_id):
        assert secret not in text
    assert peer.cipher is not None


# -- without the package that encryption needs --------------------------------------------


@pytest.mark.parametrize(
    ("dave", "outcome"), [("off", "runs"), ("on", "pip install 'voicekit[server]'")]
)
def test_only_a_server_with_encryption_needs_cryptography(dave: str, outcome: str) -> None:
    script = (
        "import sys\n"
        "sys.modules['cryptography'] = None\n"
        "from voicekit.errors import BackendUnavailable\n"
        "from voicekit.server import ServerConfig, VoiceServer\n"
        "try:\n"
        f"    VoiceServer(ServerConfig(dave={dave!r}))\n"
        "    print('runs')\n"
        "except BackendUnavailable as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert outcome in run.stdout


@pytest.mark.parametrize(
    "wrong",
    [{"dave": "maybe"}, {"first_transition_id": -1}, {"first_transition_id": 65536},
     {"max_group": 0}],
)  # fmt: skip
def test_settings_of_encryption_that_can_not_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ServerConfig(**wrong)  # type: ignore[arg-type]
