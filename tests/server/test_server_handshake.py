"""The WebSocket side: every opcode in every phase, what members are told, and in which order."""

import pytest

from tests.server.world import AES, XCHACHA, Peer, World
from voicekit.server import SessionEnded, SessionStarted
from voicekit.server.signalling import BINARY_TABLE, TABLE

VERSIONS = range(4, 10)


@pytest.fixture
def world() -> World:
    return World()


def bring_to(peer: Peer, phase: str) -> None:
    peer.connect()
    if phase != "open":
        peer.identify()
    if phase == "established":
        peer.discover()
        peer.select()


# -- one table row after the other ---------------------------------------------------

NONSENSE: dict[int, object] = {
    0: {"server_id": "1", "user_id": "2", "session_id": "s", "token": "t"},
    1: {"protocol": "udp", "data": {"address": "192.0.2.9", "port": 9, "mode": XCHACHA}},
    3: {"t": 1, "seq_ack": 0},
    5: {"speaking": 1, "delay": 0, "ssrc": 1},
    7: {"server_id": "1", "session_id": "s", "token": "t", "seq_ack": 0},
    12: {"audio_ssrc": 0, "video_ssrc": 0},
    14: {},
    15: {"any": 100},
    16: {},
    23: {"transition_id": 0},
    31: {"transition_id": 0},
    32: {},
}

#: op: close codes (None: the socket stays open) in the phases open, ready, established.
EXPECTED: dict[int, tuple[int | None, int | None, int | None]] = {
    0: (None, 4005, 4005),
    1: (4003, None, None),
    3: (None, None, None),
    5: (4003, None, None),
    7: (4006, 4005, 4005),  # there is nothing to resume
    12: (4003, None, None),
    14: (4003, None, None),
    15: (4003, None, None),
    16: (4003, None, None),
    23: (4003, None, None),
    31: (4003, None, None),
    32: (4003, None, None),
}


@pytest.mark.parametrize("phase", [0, 1, 2], ids=["open", "ready", "established"])
@pytest.mark.parametrize("op", range(256))
def test_each_opcode_in_each_phase(world: World, op: int, phase: int) -> None:
    peer = world.peer()
    bring_to(peer, ("open", "ready", "established")[phase])
    peer.send(op, NONSENSE.get(op, {}))
    in_json = op in EXPECTED
    assert peer.closed == (EXPECTED[op][phase] if in_json else expected_of_others(op))
    assert in_json == (op in TABLE)


def expected_of_others(op: int) -> int:
    # What only servers send is decoded first, and {} is not what it should be.
    mistyped = {2, 4, 6, 8, 11, 13, 18, 20, 21, 22, 24}
    return 4002 if op in mistyped else 4001


@pytest.mark.parametrize("op", range(256))
def test_each_binary_opcode(world: World, op: int) -> None:
    peer = world.ready()
    peer.send_binary(bytes((op,)) + b"payload")
    assert (peer.closed is None) == (op in BINARY_TABLE) == (op in (26, 28))
    assert peer.closed in (None, 4001)


def test_binary_before_identify_is_not_authenticated(world: World) -> None:
    peer = world.peer()
    peer.connect()
    peer.send_binary(b"\x1a")
    assert peer.closed == 4003


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"d": {}}', '{"op": "0"}', '{"op": -1}', '{"op": 256}', '{"op": 0}',
     '{"op": 0, "d": null}', '{"op": 3}', '{"op": 5, "d": {"speaking": 1}}', "[" * 60_000,
     '{"op": 1, "d": {"protocol": "udp"}}', '{"op": 0, "d": {"server_id": "x"}}'],
)  # fmt: skip
def test_what_is_not_the_protocol_closes_4002(world: World, text: str) -> None:
    peer = world.ready()
    peer.text(text)
    assert peer.closed == 4002
    assert peer.stats.messages_bad == {"undecodable": 1}


def test_an_empty_binary_message_closes_4002(world: World) -> None:
    peer = world.ready()
    peer.send_binary(b"")
    assert peer.closed == 4002


# -- versions -------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_handshake_of_every_version(world: World, version: int) -> None:
    peer = world.peer(version=version, channel_id=7 if version == 9 else None)
    peer.connect()
    assert peer.taken() == [{"op": 8, "d": {"heartbeat_interval": 13750, "v": version}}]
    peer.identify()
    [ready] = peer.taken()
    assert ready["op"] == 2
    assert "seq" not in ready
    assert ready["d"]["ip"] == "127.0.0.1"
    assert ready["d"]["port"] == 5000
    assert XCHACHA in ready["d"]["modes"]
    assert 0 < ready["d"]["ssrc"] < 2**32
    peer.discover()
    peer.select()
    [description] = peer.taken()
    assert description["op"] == 4
    assert description["d"]["mode"] == XCHACHA
    assert len(description["d"]["secret_key"]) == 32
    assert description["d"]["dave_protocol_version"] == 0
    assert peer.stats.gateway_version == version
    assert peer.stats.state == "established"
    assert [type(event) for event in world.events] == [SessionStarted]


@pytest.mark.parametrize("version", VERSIONS)
def test_heartbeats_are_acknowledged_in_the_shape_of_the_version(
    world: World, version: int
) -> None:
    peer = world.ready(version=version)
    peer.taken()
    peer.send(3, {"t": 77, "seq_ack": 0} if version >= 8 else 77)
    assert peer.taken() == [{"op": 6, "d": {"t": 77} if version >= 8 else 77}]
    assert peer.stats.heartbeats == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_are_numbered_from_version_8_on(world: World, version: int) -> None:
    peer = world.ready(user_id=1, version=version)
    other = world.ready(user_id=2)
    other.speak()
    other.speak(0)
    numbers = [m.get("seq") for m in peer.taken() if m["op"] in (5, 11)]
    assert numbers == ([1, 2, 3] if version >= 8 else [None, None, None])


@pytest.mark.parametrize(
    "path",
    ["/", "", "/?v=", "/?v=3", "/?v=10", "/?v=0", "/?v=-8", "/?v=8&v=8", "/?v=eight",
     "/?v=99999999999999999999", "?" * 100, "/?" + "&".join(["v=8"] * 500), "//[", "/?v=%00"],
)  # fmt: skip
def test_a_version_that_is_not_spoken_is_refused(world: World, path: str) -> None:
    peer = world.peer()
    peer.connect(path)
    assert peer.closed == 4012
    assert world.server.server_stats().sockets_refused == 1


@pytest.mark.parametrize("path", ["/?v=8", "?v=8", "/?foo=1&v=8", "/voice?v=8&encoding=json"])
def test_the_version_is_found_wherever_clients_put_it(world: World, path: str) -> None:
    peer = world.peer()
    peer.connect(path)
    assert peer.ops() == [8]


def test_the_version_range_can_be_narrowed() -> None:
    world = World(min_version=8, max_version=8)
    for version in VERSIONS:
        peer = world.peer(version=version)
        peer.connect()
        assert peer.closed == (None if version == 8 else 4012)


def test_a_fraction_of_a_millisecond_in_hello_stays() -> None:
    world = World(heartbeat_interval=41.2505)
    peer = world.peer()
    peer.connect()
    assert peer.messages[0]["d"]["heartbeat_interval"] == pytest.approx(41250.5)


def test_hello_may_come_late() -> None:
    world = World(hello_delay=0.1)
    peer = world.peer()
    peer.connect()
    peer.identify()
    assert peer.ops() == [2]
    world.run(0.2)
    assert peer.ops() == [8]


def test_a_late_hello_is_not_said_to_a_socket_that_is_gone() -> None:
    world = World(hello_delay=0.1)
    peer = world.peer()
    peer.connect()
    peer.close()
    world.run(0.2)
    assert peer.ops() == []


# -- who is told what (protocol.md, what real clients need) ---------------------------


def test_a_lone_client_is_told_of_nobody(world: World) -> None:
    assert world.ready().ops() == [8, 2, 4]


def test_members_are_listed_after_ready_and_the_newcomer_is_announced(world: World) -> None:
    first, second = world.ready(user_id=1), world.ready(user_id=2)
    first.taken()
    second.taken()
    third = world.peer(user_id=3)
    third.connect()
    third.identify()
    ready, listed = third.taken()[1:]
    assert ready["op"] == 2
    assert listed == {"op": 11, "d": {"user_ids": ["1", "2"]}, "seq": 1}
    assert first.data_of(11) == second.data_of(11) == [{"user_ids": ["3"]}]


def test_a_newcomer_is_told_after_op_4_who_speaks(world: World) -> None:
    talker, quiet = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak(1)
    talker.speak(5)
    newcomer = world.ready(user_id=3)
    messages = newcomer.taken()
    assert [m["op"] for m in messages] == [8, 2, 11, 4, 5]
    assert messages[-1]["d"] == {"user_id": "1", "ssrc": talker.ssrc, "speaking": 5}
    assert messages[-1]["seq"] == 2
    assert quiet.closed is None


def test_a_newcomer_is_not_told_twice_what_was_said_during_its_handshake(world: World) -> None:
    talker = world.ready(user_id=1)
    newcomer = world.peer(user_id=2)
    newcomer.connect()
    newcomer.identify()
    talker.speak()
    assert newcomer.data_of(5) == []
    newcomer.discover()
    newcomer.select()
    assert [d["speaking"] for d in newcomer.data_of(5)] == [1]


def test_speaking_is_relayed_with_the_user_and_without_the_delay(world: World) -> None:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.taken()
    talker.speak(3)
    assert listener.data_of(5) == [{"speaking": 3, "ssrc": talker.ssrc, "user_id": "1"}]
    assert talker.data_of(5) == []


def test_speaking_for_somebody_else_is_counted_and_not_relayed(world: World) -> None:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.send(5, {"speaking": 1, "delay": 0, "ssrc": listener.ssrc})
    assert listener.data_of(5) == []
    assert talker.closed is None
    assert talker.stats.messages_bad == {"wrong_ssrc": 1}


def test_video_is_relayed_and_remembered(world: World) -> None:
    sender, member = world.ready(user_id=1), world.ready(user_id=2)
    sender.send(12, {"audio_ssrc": sender.ssrc, "video_ssrc": 5, "rtx_ssrc": 6, "streams": []})
    sender.send(12, {"audio_ssrc": 1, "video_ssrc": 5})
    newcomer = world.ready(user_id=3)
    expected = {
        "user_id": "1",
        "audio_ssrc": sender.ssrc,
        "video_ssrc": 5,
        "rtx_ssrc": 6,
        "streams": [],
    }
    assert member.data_of(12) == newcomer.data_of(12) == [expected]
    assert sender.stats.messages_bad == {"wrong_ssrc": 1}


def test_the_backend_version_is_told_when_asked(world: World) -> None:
    peer = world.ready()
    peer.taken()
    peer.send(16, {})
    assert [set(m["d"]) for m in peer.taken()] == [{"voice", "rtc_worker"}]


def test_flags_and_platforms_are_told_when_wanted() -> None:
    world = World(undocumented=True)
    first = world.ready(user_id=1)
    second = world.ready(user_id=2)
    for peer, other in ((first, "2"), (second, "1")):
        assert peer.data_of(18) == [{"user_id": other, "flags": 0}]
        assert peer.data_of(20) == [{"user_id": other, "platform": 0}]
        assert all("seq" in m for m in peer.messages if m["op"] in (11, 18, 20))


def test_a_session_that_ends_is_told_to_the_others(world: World) -> None:
    leaver, stayer = world.ready(user_id=1), world.ready(user_id=2)
    leaver.close(1000)
    assert stayer.data_of(13) == [{"user_id": "1"}]
    [ended] = world.events_of(SessionEnded)
    assert (ended.stats.user_id, ended.stats.state, ended.stats.close_code) == (1, "ended", 1000)


# -- rooms and identities --------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "default", "meet"),
    [
        (None, None, None, True),
        (None, None, 9, True),
        (7, 7, None, True),
        (7, 8, None, False),
        (7, None, None, True),  # no channel is no other channel
        (None, 7, None, True),
        (9, None, 9, True),
        (7, None, 9, False),
        (None, 7, 9, False),
    ],
)
def test_a_room_is_a_channel_of_a_server(
    one: int | None, other: int | None, default: int | None, meet: bool
) -> None:
    world = World(default_channel_id=default)
    first = world.ready(user_id=1, channel_id=one, version=9 if one else 8)
    second = world.ready(user_id=2, channel_id=other, version=9 if other else 8)
    assert bool(second.data_of(11)) == bool(first.data_of(11)) == meet


def test_other_servers_are_other_rooms(world: World) -> None:
    world.ready(user_id=1, server_id=1, channel_id=7, version=9)
    assert world.ready(user_id=2, server_id=2, channel_id=7, version=9).data_of(11) == []


def test_the_channel_becomes_known_with_the_first_who_names_it(world: World) -> None:
    unaware = world.ready(user_id=1)
    assert unaware.stats.channel_id is None
    world.ready(user_id=2, channel_id=7, version=9)
    assert unaware.stats.channel_id == 7


@pytest.mark.parametrize(("session_id", "code"), [("session-1", 4006), ("elsewhere", 4014)])
def test_a_user_who_identifies_again_replaces_the_old_session(
    world: World, session_id: str, code: int
) -> None:
    witness, old = world.ready(user_id=2), world.ready(user_id=1)
    witness.taken()
    new = world.ready(user_id=1, session_id=session_id)
    assert old.closed == code
    assert witness.ops() == [13, 11]
    assert new.ssrc != old.ssrc
    assert [s.state for s in world.server.stats() if s.user_id == 1] == ["ended", "established"]


def test_a_user_is_in_one_channel_of_a_server(world: World) -> None:
    old = world.ready(user_id=1, channel_id=7, version=9)
    world.ready(user_id=1, channel_id=8, version=9)
    assert old.closed == 4006


@pytest.mark.parametrize("ids", [(1, 2), ("1", "2"), (2**63 - 1, str(2**63 - 1))])
def test_ids_may_be_strings_or_numbers(world: World, ids: tuple[object, object]) -> None:
    peer = world.peer()
    peer.connect()
    peer.identify(server_id=ids[0], user_id=ids[1])
    assert peer.closed is None
    assert world.server.stats()[0].user_id == int(str(ids[1]))


@pytest.mark.parametrize("token", ["", "toke", "token2", "töken", "x" * 4096])
def test_a_wrong_token_closes_4004(token: str) -> None:
    world = World(token="token")
    assert world.ready().closed is None
    stranger = world.peer(user_id=2)
    stranger.connect()
    stranger.identify(token=token)
    assert stranger.closed == 4004
    assert world.server.server_stats().messages_bad == {"wrong_token": 1}


def test_any_token_is_admitted_without_one(world: World) -> None:
    for user_id, token in enumerate(("", "a", "ö")):
        assert world.ready(user_id=user_id + 1, token=token).closed is None


def test_ssrcs_are_never_shared() -> None:
    class Stuck:
        """Gives the same number again and again, and 0, before it moves on."""

        def __init__(self) -> None:
            self.numbers = iter([5, 0, 5, 5, 6])

        def getrandbits(self, bits: int) -> int:
            return next(self.numbers)

    world = World()
    world.server._board.random = Stuck()  # type: ignore[assignment]
    first, second = world.peer(user_id=1), world.peer(user_id=2)
    for peer in (first, second):
        peer.connect()
        peer.identify()
    assert (first.ssrc, second.ssrc) == (5, 6)


def test_a_seed_makes_a_run_repeatable() -> None:
    def transcript(seed: int) -> list[dict[str, object]]:
        return World(seed=seed).ready().taken()

    assert transcript(1) == transcript(1) != transcript(2)


def test_keys_come_from_the_operating_system_by_default() -> None:
    from random import SystemRandom

    from voicekit.server import VoiceServer

    assert isinstance(VoiceServer()._board.random, SystemRandom)


# -- select protocol ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", [AES, XCHACHA])
def test_both_modes(world: World, mode: str) -> None:
    if mode not in world.server._board.modes:
        pytest.skip("no AES here")
    first, second = world.ready(user_id=1, mode=mode), world.ready(user_id=2)
    first.speak()
    first.play()
    assert len(second.heard()) == 1
    assert first.stats.mode == mode


@pytest.mark.parametrize("mode", ["", "xsalsa20_poly1305", "plain", AES])
def test_a_mode_that_was_not_offered_closes_4016(mode: str) -> None:
    world = World(modes=(XCHACHA,))
    peer = world.ready(mode=mode)
    assert peer.closed == 4016
    assert peer.stats.messages_bad == {"bad_mode": 1}


def test_a_protocol_other_than_udp_closes_4012(world: World) -> None:
    peer = world.peer()
    peer.connect()
    peer.identify()
    peer.send(1, {"protocol": "webrtc", "data": {"address": "", "port": 1, "mode": XCHACHA}})
    assert peer.closed == 4012


def test_selecting_again_gives_a_new_key(world: World) -> None:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play(3)
    listener.taken()
    old = talker.cipher
    talker.select()
    assert talker.cipher is not old
    talker.play(3)
    assert len(listener.heard()) == 6
    assert listener.ops() == []  # the others do not notice
    assert talker.stats.packets_bad == {}
    assert len(world.events_of(SessionStarted)) == 2


def test_packets_on_their_way_under_the_old_key_are_still_heard(world: World) -> None:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    late = talker.seal()
    too_late = talker.seal(sequence=500)
    talker.select()
    talker.datagram(late)
    assert len(listener.heard()) == 1
    world.run(3.0)
    talker.datagram(too_late)
    assert talker.stats.packets_bad == {"undecryptable": 1}
