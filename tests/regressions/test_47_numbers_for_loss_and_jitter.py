"""users.md 47: no numbers for loss, jitter and drops; users build tables of their own.

api-docs#8292, voice-recv#35. A snapshot per connection and per stream says it all, and
agrees with what the network did.
"""

from voicekit import Config
from voicekit.link import Link
from voicekit.testing import Pair


def test_loss_is_what_the_network_lost() -> None:
    pair = Pair(clients=2, downlink=lambda number: Link(loss=0.1, seed=number))
    pair.connect()
    speaker, listener = pair.clients
    pair.play(speaker, 1000)
    pair.drive(25.0)
    (stream,) = listener.connection.stats().streams.values()
    arrived = len(listener.frames)
    assert stream.packets == arrived
    assert 50 < stream.lost < 150
    between = listener.frames[-1].sequence - listener.frames[0].sequence + 1
    assert stream.expected == between
    assert stream.lost == between - arrived
    assert sum(frame.lost_before for frame in listener.frames) == stream.lost


def test_jitter_is_that_of_the_network() -> None:
    def jitter(spread: float) -> float:
        pair = Pair(clients=2, downlink=lambda number: Link(jitter=spread, seed=number))
        pair.connect()
        speaker, listener = pair.clients
        pair.play(speaker, 500)
        pair.drive(15.0)
        (stream,) = listener.connection.stats().streams.values()
        return stream.jitter

    assert jitter(0.0) < 1e-6
    calm, rough = jitter(0.005), jitter(0.050)
    assert 0 < calm < 0.005 < rough < 0.050


def test_duplicates_and_drops_have_a_reason_each() -> None:
    pair = Pair(
        clients=2,
        config=Config(report_drops=True),
        downlink=lambda number: Link(duplicate=0.2, seed=number),
    )
    pair.connect()
    speaker, listener = pair.clients
    pair.play(speaker, 500)
    pair.drive(15.0)
    stats = listener.connection.stats()
    (stream,) = stats.streams.values()
    assert stream.packets == 500
    assert stream.duplicates == stats.drops["duplicate"] > 50
    assert set(stats.drops) <= {"duplicate", "discovery"}


def test_a_snapshot_does_not_change_afterwards() -> None:
    pair = Pair(clients=2)
    pair.connect()
    speaker, _ = pair.clients
    before = speaker.connection.stats()
    pair.play(speaker, 10)
    pair.drive(1.0)
    assert before.packets_sent == 0
    assert speaker.connection.stats().packets_sent == 10
