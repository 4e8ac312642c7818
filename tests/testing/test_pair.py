"""Clients and a server on a virtual clock: what `Pair` itself promises."""

import json

import pytest

from voicekit.config import Config
from voicekit.events import Closed, Reconnecting, SessionReady, SessionResumed, SpeakingStarted
from voicekit.link import Link
from voicekit.outputs import SendDatagram, SendText
from voicekit.server import ServerConfig
from voicekit.testing import Client, DriveFailed, Pair, opus_frame


@pytest.fixture
def pair() -> Pair:
    pair = Pair(clients=2)
    pair.connect()
    return pair


def test_a_handshake_without_delays_takes_no_time(pair: Pair) -> None:
    assert pair.now == 0.0
    for client in pair.clients:
        assert len(client.events_of(SessionReady)) == 1


def test_frames_arrive_as_they_were_sent(pair: Pair) -> None:
    alice, bob = pair.clients
    sent = pair.play(alice, 50)
    pair.drive(2.0)
    assert [frame.opus for frame in bob.frames] == sent
    assert {frame.user_id for frame in bob.frames} == {alice.connection.info.user_id}
    assert not alice.frames
    assert alice.unsent == 0


def test_speaking_is_sent_before_the_audio_that_it_announces(pair: Pair) -> None:
    connection = pair.clients[0].connection
    assert connection.send_audio(opus_frame(), pair.now)
    first, second, nothing = connection.poll(), connection.poll(), connection.poll()
    assert isinstance(first, SendText)
    assert json.loads(first.text)["op"] == 5
    assert isinstance(second, SendDatagram)
    assert nothing is None


def test_everybody_hears_everybody() -> None:
    pair = Pair(clients=5)
    pair.connect()
    for client in pair.clients:
        pair.play(client, 10)
    pair.drive(1.0)
    for client in pair.clients:
        assert len(client.frames) == 40
        assert len(client.events_of(SpeakingStarted)) == 4


def test_the_same_seed_makes_the_same_call() -> None:
    def call(seed: int) -> tuple[float, str]:
        pair = Pair(
            clients=2,
            seed=seed,
            websocket_delay=0.02,
            uplink=lambda number: Link(loss=0.1, jitter=0.03, seed=seed),
        )
        pair.connect()
        pair.play(pair.clients[0], 100)
        pair.drive(3.0)
        return pair.now, repr([frame.opus for frame in pair.clients[1].frames])

    assert call(5) == call(5)
    assert call(5) != call(6)


def test_a_lossy_link_loses_what_its_statistics_say() -> None:
    pair = Pair(clients=2, downlink=lambda number: Link(loss=0.2, seed=number))
    pair.connect(max_steps=5000)
    alice, bob = pair.clients
    lost_before = bob.downlink.stats.lost
    pair.play(alice, 200)
    pair.drive(4.5)
    assert len(bob.frames) == 200 - (bob.downlink.stats.lost - lost_before)
    assert len(bob.frames) < 190


def test_websocket_messages_take_their_time() -> None:
    pair = Pair(websocket_delay=0.05)
    pair.connect()
    # TCP and upgrade 0.1, Identify to Ready 0.1, Select Protocol to Description 0.1.
    assert pair.now == pytest.approx(0.3)


def test_a_dropped_websocket_is_resumed_while_the_audio_goes_on(pair: Pair) -> None:
    alice, bob = pair.clients
    sent = pair.play(alice, 100)
    pair.at(pair.now + 0.5, lambda now: pair.drop_websocket(alice))
    pair.drive(3.0)
    assert [frame.opus for frame in bob.frames] == sent
    assert len(alice.events_of(SessionResumed)) == 1


def test_a_close_code_reaches_the_client(pair: Pair) -> None:
    alice = pair.clients[0]
    pair.drop_websocket(alice, 4004, "authentication failed")
    pair.drive(1.0)
    assert [event.code for event in alice.events_of(Closed)] == [4004]


def test_a_dead_websocket_is_noticed_by_the_heartbeat(pair: Pair) -> None:
    alice = pair.clients[0]
    pair.mute_websocket(alice)
    pair.drive(60.0)
    assert alice.events_of(Reconnecting)
    assert alice.connection.is_ready


def test_refused_dials_and_udp_sockets_are_tried_again() -> None:
    pair = Pair()
    pair.clients[0].refuse_websockets = 2
    pair.clients[0].refuse_udp = 1
    pair.connect()
    assert pair.now > 0.2


def test_a_broken_udp_socket_is_replaced(pair: Pair) -> None:
    alice, bob = pair.clients
    port = alice.port
    pair.fail_udp(alice)
    pair.drive(5.0)
    assert alice.port not in (0, port)
    sent = pair.play(bob, 10)
    pair.play(alice, 10)
    pair.drive(1.0)
    assert [frame.opus for frame in alice.frames] == sent


def test_a_kick_is_told_by_the_host_as_well(pair: Pair) -> None:
    alice = pair.clients[0]
    pair.server.faults.kick(pair.now, user_id=alice.connection.info.user_id)
    pair.drain()
    pair.drive(1.0)
    assert alice.connection.is_closed


def test_a_move_is_followed(pair: Pair) -> None:
    alice, bob = pair.clients
    for client in pair.clients:
        pair.server.faults.move(5, pair.now, user_id=client.connection.info.user_id)
    pair.drain()
    pair.drive(1.0)
    sent = pair.play(alice, 10)
    pair.drive(1.0)
    assert [frame.opus for frame in bob.frames] == sent
    assert len(alice.events_of(SessionReady)) == 2


def test_a_restarted_client_is_another_connection_of_the_same_user(pair: Pair) -> None:
    alice, bob = pair.clients
    before = alice.connection
    pair.restart(alice)
    pair.drive(1.0)
    assert alice.connection is not before
    assert alice.connection.is_ready
    sent = pair.play(alice, 10)
    pair.drive(1.0)
    assert [frame.opus for frame in bob.frames] == sent


def test_driving_to_what_never_happens_fails_with_the_story() -> None:
    pair = Pair(server_config=ServerConfig(), config=Config())
    pair.start(pair.clients[0])
    with pytest.raises(DriveFailed) as failure:
        pair.drive_bounded(30, until=lambda: False, what="the end of the world")
    story = str(failure.value)
    assert "the end of the world is not reached after 30 steps" in story
    assert "client 1   sends op 0" in story
    info = pair.clients[0].connection.info
    assert info.token not in story
    assert info.session_id not in story


def test_driving_a_pair_that_has_nothing_to_do_fails_at_once() -> None:
    pair = Pair()
    with pytest.raises(DriveFailed, match="nothing happens any more"):
        pair.drive_bounded(until=lambda: False)


class Spinning:
    """A connection whose timer is always due."""

    def __init__(self, at: float) -> None:
        self.at = at

    def next_timeout(self) -> float:
        return self.at

    def handle_timeout(self, now: float) -> None:
        pass

    def poll(self) -> None:
        return None


def test_a_timer_that_stays_due_is_a_failure() -> None:
    pair = Pair()
    failing = Client(9, pair.clients[0].connection, Link(), Link())
    failing.connection = Spinning(1.0)  # type: ignore[assignment]
    pair.clients.append(failing)
    failing.connection.state = pair.clients[0].connection.state  # type: ignore[misc]
    with pytest.raises(DriveFailed, match="still busy"):
        pair.drive(2.0)


def test_a_timer_in_the_past_is_a_failure() -> None:
    pair = Pair(now=100.0)
    failing = Client(9, pair.clients[0].connection, Link(), Link())
    failing.connection = Spinning(99.0)  # type: ignore[assignment]
    failing.connection.state = pair.clients[0].connection.state  # type: ignore[misc]
    pair.clients.append(failing)
    with pytest.raises(DriveFailed, match="in the past"):
        pair.step()
