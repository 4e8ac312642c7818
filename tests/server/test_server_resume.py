"""A lost socket is not a lost session: buffered resume, and when it ends after all."""

import pytest

from tests.server.world import Peer, World
from voicekit.server import SessionEnded, SessionResumed


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pair(world: World) -> tuple[Peer, Peer]:
    first, second = world.ready(user_id=1), world.ready(user_id=2)
    first.taken()
    second.taken()
    return first, second


def test_missed_messages_are_replayed_after_resumed(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    peer.close(None)
    other.speak(1)
    world.ready(user_id=3).close(1000)
    peer.resume()
    messages = peer.taken()
    assert [m["op"] for m in messages] == [8, 9, 5, 11, 13]
    assert messages[1] == {"op": 9, "d": None}
    assert [m["seq"] for m in messages[2:]] == [2, 3, 4]
    assert peer.stats.resumes == 1
    assert len(world.events_of(SessionResumed)) == 1


def test_the_replay_may_come_first() -> None:
    world = World(replay_first=True)
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    peer.taken()
    peer.close(None)
    other.speak()
    peer.resume()
    assert peer.ops() == [8, 5, 9]


def test_binary_messages_are_replayed(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, _ = pair
    world.server.faults.say_binary(25, b"external", world.now, user_id=1)
    world.drain()
    peer.close(None)
    world.server.faults.say_binary(27, b"proposals", world.now, user_id=1)
    peer.seq = 2
    peer.resume()
    assert peer.binary == [b"\0\2\x19external", b"\0\3\x1bproposals"]


def test_unnumbered_messages_are_not_replayed(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    peer.close(None)
    other.send(12, {"audio_ssrc": other.ssrc, "video_ssrc": 1})
    peer.resume()
    assert peer.ops() == [8, 9]


@pytest.mark.parametrize("version", range(4, 8))
def test_below_version_8_nothing_is_replayed(world: World, version: int) -> None:
    peer, other = world.ready(user_id=1, version=version), world.ready(user_id=2)
    peer.taken()
    peer.close(None)
    other.speak()
    peer.resume()
    assert peer.ops() == [8, 9]


def test_version_9_names_its_channel(world: World) -> None:
    peer = world.ready(version=9, channel_id=7)
    peer.close(None)
    peer.resume(channel_id="7")
    assert peer.closed is None
    peer.close(None)
    peer.resume(channel_id="8")
    assert peer.closed == 4006


@pytest.mark.parametrize("seq_ack", [-1, 0, 1, 2, 3])
def test_only_what_came_after_the_acknowledged_number(world: World, seq_ack: int) -> None:
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    other.speak(1)
    other.speak(0)
    peer.taken()
    peer.close(None)
    peer.resume(seq_ack)
    numbers = [m["seq"] for m in peer.taken() if "seq" in m]
    assert numbers == [n for n in (1, 2, 3) if n > seq_ack]


@pytest.mark.parametrize("seq_ack", [4, 5, 0x7FFF, 0xFFFF])
def test_a_number_that_was_never_sent_is_refused(world: World, seq_ack: int) -> None:
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    other.speak(1)
    other.speak(0)
    peer.close(None)
    peer.resume(seq_ack)
    assert peer.closed == 4006
    assert other.data_of(13) == [{"user_id": "1"}]  # and the session is over


def test_without_a_number_all_that_is_kept_is_replayed() -> None:
    world = World(replay_buffer=2)
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    for flags in (1, 0, 1, 0):
        other.speak(flags)
    peer.taken()
    peer.close(None)
    peer.resume(None)
    assert [m["seq"] for m in peer.taken() if "seq" in m] == [4, 5]


def test_a_full_buffer_refuses_the_resume() -> None:
    world = World(replay_buffer=3)
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    peer.close(None)
    for flags in (1, 0, 1, 0):
        other.speak(flags)
    peer.resume()
    assert peer.closed == 4006
    # The session is lost: identify again.
    peer.connect()
    peer.identify()
    assert peer.closed is None


def test_numbers_wrap_at_16_bits() -> None:
    world = World(message_rate=1e9, message_burst=1e9)
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    peer.taken()
    for _ in range(0xFFFF):
        other.speak()
    assert [m["seq"] for m in peer.taken()][-3:] == [0xFFFE, 0xFFFF, 0]
    peer.close(None)
    other.speak(0)
    other.speak(1)
    peer.resume()
    assert [m["seq"] for m in peer.taken() if "seq" in m] == [1, 2]


@pytest.mark.parametrize("code", [1000, 1001])
def test_a_client_that_leaves_ends_its_session(
    world: World, pair: tuple[Peer, Peer], code: int
) -> None:
    peer, other = pair
    peer.close(code)
    assert other.ops() == [13]
    peer.resume()
    assert peer.closed == 4006


@pytest.mark.parametrize("code", [None, 1005, 1006, 1011, 1012, 4000, 4900])
def test_any_other_loss_keeps_the_session(
    world: World, pair: tuple[Peer, Peer], code: int | None
) -> None:
    peer, other = pair
    peer.close(code)
    world.run(20.0)
    assert other.ops() == []
    assert peer.stats.state == "detached"
    peer.resume()
    assert peer.ops() == [8, 9]
    assert peer.stats.state == "established"


def test_the_session_ends_with_the_resume_window() -> None:
    world = World(resume_window=5.0, heartbeat_interval=100.0)
    peer, other = world.ready(user_id=1), world.ready(user_id=2)
    other.taken()
    peer.close(None)
    world.run(4.9)
    assert other.ops() == []
    world.run(0.2)
    assert other.ops() == [13]
    assert len(world.events_of(SessionEnded)) == 1
    peer.resume()
    assert peer.closed == 4006


def test_a_resumed_session_does_not_end_with_the_old_window() -> None:
    world = World(resume_window=5.0, heartbeat_interval=100.0)
    peer = world.ready()
    peer.close(None)
    world.run(4.0)
    peer.resume()
    world.run(10.0)
    assert peer.closed is None
    assert world.events_of(SessionEnded) == []


def test_a_session_without_a_key_ends_with_its_socket(world: World) -> None:
    other = world.ready(user_id=2)
    other.taken()
    peer = world.peer(user_id=1)
    peer.connect()
    peer.identify()
    peer.close(None)
    assert other.ops() == [11, 13]
    peer.resume()
    assert peer.closed == 4006


def test_audio_goes_on_while_the_socket_is_away(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    peer.speak()
    other.speak()
    peer.close(None)
    peer.play(3)
    other.play(3)
    assert len(other.heard()) == len(peer.heard()) == 3
    peer.resume()
    peer.play(3)
    assert peer.stats.packets_valid == 6
    assert peer.stats.packets_bad == {}


def test_a_half_open_socket_is_superseded(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    old_link = peer.link
    peer.resume()
    assert old_link not in world.server._board.sockets
    assert peer.link in world.peers
    assert other.ops() == []
    world.server.websocket_closed(old_link, 4006, world.now)
    assert peer.stats.state == "established"


@pytest.mark.parametrize(
    "wrong", [{"token": "other"}, {"session_id": "other"}, {"server_id": "501"}, {"token": ""}]
)
def test_a_resume_with_wrong_secrets_is_refused_and_changes_nothing(
    world: World, pair: tuple[Peer, Peer], wrong: dict[str, str]
) -> None:
    peer, other = pair
    peer.close(None)
    peer.resume(**wrong)
    assert peer.closed == 4006
    assert other.ops() == []
    peer.resume()
    assert peer.closed is None


def test_sessions_that_share_their_secrets_are_not_mixed_up(world: World) -> None:
    """Clients choose session ids; two scripts may well choose the same one."""
    first = world.ready(user_id=1, session_id="s", token="t")
    second = world.ready(user_id=2, session_id="s", token="t")
    first.taken()
    first.close(None)
    first.resume()
    assert first.ops() == [8, 9]
    assert first.stats.resumes == 1
    assert second.closed is None
    first.close(None)
    second.close(None)
    first.resume()
    assert first.closed == 4006  # nobody can say which of the two it is
    assert [s.state for s in world.server.stats()] == ["detached", "detached"]


def test_the_session_takes_the_version_of_the_new_socket(world: World) -> None:
    peer = world.ready(version=8)
    peer.close(None)
    peer.version = 7
    peer.resume()
    assert peer.stats.gateway_version == 7


def test_heartbeats_are_expected_anew_after_a_resume(world: World) -> None:
    peer = world.ready()
    world.run(40.0)
    peer.close(None)
    peer.resume()
    world.run(41.0)
    assert peer.closed is None
    world.run(1.0)
    assert peer.closed == 4009


def test_a_session_without_heartbeats_times_out(world: World, pair: tuple[Peer, Peer]) -> None:
    peer, other = pair
    for _ in range(10):
        world.run(13.75)
        other.send(3, {"t": 1, "seq_ack": 1})
    assert peer.closed == 4009
    assert other.closed is None
    assert other.data_of(13) == [{"user_id": "1"}]
    peer.resume()
    assert peer.closed == 4006
