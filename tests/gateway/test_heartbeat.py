"""Heartbeats: shape, pace, latency, and sockets that are open but dead."""

from random import Random

import pytest

from tests.gateway.driver import DESCRIPTION, HELLO, MODE, READY, Driver, reach
from voicekit.close_codes import ClosePolicy
from voicekit.codes import Opcode
from voicekit.config import Config
from voicekit.events import Reconnecting
from voicekit.gateway_states import GatewayState
from voicekit.heartbeat import HISTORY, NONCE_LIMIT, Heartbeat
from voicekit.outputs import CloseWebSocket

S = GatewayState


@pytest.mark.parametrize("version", range(4, 10))
def test_the_shape_of_a_heartbeat_by_version(version: int) -> None:
    driver = reach(S.OPEN, gateway_version=version)
    driver.receive(5, {"speaking": 1, "ssrc": 1, "user_id": "2"}, seq=65535)
    driver.wait(10.0)
    (beat,) = driver.sent(Opcode.HEARTBEAT)
    if version < 8:
        assert type(beat) is int
    else:
        assert beat.keys() == {"t", "seq_ack"}
        assert beat["seq_ack"] == 65535
    driver.wait(0.25)
    driver.acknowledge()
    assert driver.latency == pytest.approx(0.25)


def test_the_first_beat_comes_after_one_interval_and_then_one_each() -> None:
    driver = reach(S.OPEN)
    started = driver.now
    for count in range(1, 6):
        assert driver.next_timeout() == pytest.approx(started + 10.0 * count)
        driver.wait(9.99)
        assert len(driver.sent(Opcode.HEARTBEAT)) == count - 1
        driver.wait(0.01)
        assert len(driver.sent(Opcode.HEARTBEAT)) == count
        driver.acknowledge()


def test_seq_ack_is_minus_one_before_any_number_was_seen() -> None:
    driver = reach(S.OPEN)
    driver.wait(10.0)
    assert driver.sent(Opcode.HEARTBEAT)[0]["seq_ack"] == -1


def test_nonces_come_from_the_random_given_and_stay_below_2_to_the_53() -> None:
    beats = Heartbeat(Config(), Random(5))
    nonces = [beats.beat(0.0) for _ in range(1000)]
    assert all(0 <= nonce < 2**53 for nonce in nonces)
    assert max(nonces) > 2**52
    expected = Random(5)
    assert nonces == [expected.randrange(NONCE_LIMIT) for _ in nonces]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(1, 1.0), (0.001, 1.0), (999.9, 1.0), (13750.5, 13.7505), (120_001, 120.0), (1e9, 120.0),
     (1e308, 120.0)],
)  # fmt: skip
def test_the_interval_is_clamped(asked: float, seconds: float) -> None:
    driver = reach(S.OPEN)
    driver.receive(Opcode.HELLO, {"heartbeat_interval": asked})
    due = driver.next_timeout()
    assert due is not None
    assert due - driver.now == pytest.approx(seconds)


def test_latency_is_none_until_known_and_then_last_and_mean_of_twenty() -> None:
    driver = reach(S.OPEN)
    assert driver.latency is None
    assert driver.average_latency is None
    trips = [0.010 * n for n in range(1, 31)]
    for trip in trips:
        due = driver.next_timeout()
        assert due is not None
        driver.wait(due - driver.now)
        driver.wait(trip)
        driver.acknowledge()
        assert driver.latency == pytest.approx(trip)
    assert driver.average_latency == pytest.approx(sum(trips[-20:]) / 20)
    assert HISTORY == 20


def test_latency_lives_on_over_a_resume_but_not_to_another_server() -> None:
    driver = reach(S.OPEN)
    driver.wait(10.1)
    driver.acknowledge()
    driver.closed(4015)
    assert driver.latency == pytest.approx(0.1)
    driver.wait(0.4)
    driver.open_link()
    assert driver.latency == pytest.approx(0.1)
    driver.update_voice_server("new", "b.example:1")
    assert driver.latency is None
    assert driver.average_latency is None


def test_an_ack_for_an_old_nonce_is_ignored() -> None:
    driver = reach(S.OPEN, max_missed_acks=3)
    driver.wait(10.0)
    old = driver.sent(Opcode.HEARTBEAT)[-1]["t"]
    driver.wait(10.0)
    driver.receive(Opcode.HEARTBEAT_ACK, {"t": old})
    assert driver.latency is None
    assert driver.ignored == 1
    driver.wait(0.5)
    driver.acknowledge()
    assert driver.latency == pytest.approx(0.5)
    driver.acknowledge()
    assert driver.ignored == 2, "the second ACK of one beat"


def test_an_ack_without_a_nonce_is_of_the_last_beat() -> None:
    driver = reach(S.OPEN)
    driver.wait(10.2)
    driver.receive(Opcode.HEARTBEAT_ACK, None)
    assert driver.latency == pytest.approx(0.2)


@pytest.mark.parametrize("allowed", [1, 2, 5])
def test_beats_without_an_ack_make_a_zombie(allowed: int) -> None:
    driver = reach(S.OPEN, max_missed_acks=allowed)
    link = driver.link
    driver.wait(10.0 * (allowed + 1) - 0.01)
    assert driver.gateway.state is S.OPEN
    driver.wait(0.01)
    assert driver.gateway.state is S.RESUME_BACKING_OFF
    closing, event = driver.new
    assert closing == CloseWebSocket(link, 4000)
    assert isinstance(event, Reconnecting)
    assert event.policy is ClosePolicy.RESUME
    assert event.code == 4000
    assert "ACK" in event.why
    assert len(driver.sent(Opcode.HEARTBEAT)) == allowed


def test_an_ack_in_time_clears_what_was_missed() -> None:
    driver = reach(S.OPEN, max_missed_acks=2)
    for _ in range(5):
        driver.wait(20.0)
        driver.acknowledge()
    assert driver.gateway.state is S.OPEN


def test_a_socket_on_which_no_hello_comes_is_dropped() -> None:
    driver = reach(S.DIALLING)
    driver.open_link(hello=False)
    driver.receive(Opcode.READY, READY)
    driver.select_protocol("203.0.113.9", 6000, MODE)
    driver.receive(Opcode.SESSION_DESCRIPTION, DESCRIPTION)
    driver.wait(30.0)
    assert driver.gateway.state is S.RESUME_BACKING_OFF
    assert "Hello" in driver.events(Reconnecting)[0].why


def test_the_hello_of_the_link_before_is_no_hello_of_this_one() -> None:
    driver = reach(S.RESUME_DIALLING)
    driver.open_link(hello=False)
    driver.receive(Opcode.RESUMED)
    driver.receive(Opcode.HEARTBEAT)
    driver.wait(29.9)
    assert len(driver.sent(Opcode.HEARTBEAT)) == 1, "only what was asked for"
    driver.wait(0.2)
    assert driver.gateway.state is S.RESUME_BACKING_OFF


def test_bookkeeping_starts_anew_at_each_hello() -> None:
    driver = reach(S.OPEN)
    driver.wait(10.0)
    stale = driver.sent(Opcode.HEARTBEAT)[-1]["t"]
    driver.wait(5.0)
    driver.receive(Opcode.HELLO, HELLO)
    driver.receive(Opcode.HEARTBEAT_ACK, {"t": stale})
    assert driver.latency is None
    driver.wait(9.99)
    assert len(driver.sent(Opcode.HEARTBEAT)) == 1
    driver.wait(0.01)
    assert len(driver.sent(Opcode.HEARTBEAT)) == 2
    assert driver.gateway.state is S.OPEN


def test_beats_of_a_lost_socket_do_not_count_on_the_next() -> None:
    driver = reach(S.OPEN)
    driver.wait(10.0)
    driver.closed(1006)
    driver.wait(0.3)
    driver.open_link()
    driver.receive(Opcode.RESUMED)
    driver.wait(10.0)
    assert driver.gateway.state is S.OPEN
    assert len(driver.sent(Opcode.HEARTBEAT)) == 2


def test_a_request_of_the_server_is_answered_at_once_and_puts_the_next_beat_off() -> None:
    driver = reach(S.OPEN)
    driver.wait(9.99)
    driver.receive(Opcode.HEARTBEAT, None)
    assert len(driver.sent(Opcode.HEARTBEAT)) == 1
    driver.wait(0.2)
    assert driver.gateway.state is S.OPEN, "its ACK has not had its time yet"
    driver.acknowledge()
    assert driver.latency == pytest.approx(0.2)
    assert driver.next_timeout() == pytest.approx(driver.now - 0.2 + 10.0)


def test_requests_do_not_use_up_missed_acks() -> None:
    driver = reach(S.OPEN, max_missed_acks=2)
    driver.wait(10.0)
    for _ in range(5):
        driver.receive(Opcode.HEARTBEAT, 5)
    driver.wait(10.0)
    assert driver.gateway.state is S.OPEN


def test_a_late_look_beats_once_and_does_not_catch_up() -> None:
    driver = reach(S.OPEN)
    driver.now += 35.0
    driver.handle_timeout()
    assert len(driver.sent(Opcode.HEARTBEAT)) == 1
    assert driver.next_timeout() == pytest.approx(driver.now + 10.0)
    assert driver.max_timer_lateness == pytest.approx(25.0)
    driver.acknowledge()
    driver.wait(10.0)
    assert driver.max_timer_lateness == pytest.approx(25.0), "the worst, not the last"


def test_one_late_look_in_a_row_is_no_proof_of_a_dead_socket() -> None:
    """While the host was busy the ACK may have been lying in the socket's buffer."""
    driver = reach(S.OPEN)
    driver.wait(10.0)
    driver.now += 15.0
    driver.handle_timeout()
    assert driver.gateway.state is S.OPEN
    assert len(driver.sent(Opcode.HEARTBEAT)) == 2
    driver.now += 15.0
    driver.handle_timeout()
    assert driver.gateway.state is S.RESUME_BACKING_OFF


def test_a_late_look_is_excused_again_after_an_ack() -> None:
    driver = reach(S.OPEN)
    for _ in range(3):
        driver.wait(10.0)
        driver.now += 15.0
        driver.handle_timeout()
        driver.acknowledge()
    assert driver.gateway.state is S.OPEN


def test_a_clock_that_went_back_gives_no_negative_latency() -> None:
    beats = Heartbeat(Config(), Random(1))
    nonce = beats.beat(10.0)
    assert beats.acknowledge(nonce, 9.0)
    assert beats.latency == 0.0


def test_a_zombie_without_a_session_identifies_again() -> None:
    driver = Driver(connect_timeout=100.0)
    driver.start()
    driver.open_link()
    driver.wait(20.0)
    assert driver.gateway.state is S.BACKING_OFF
    driver.wait(0.3)
    driver.open_link()
    assert len(driver.sent(Opcode.IDENTIFY)) == 2
