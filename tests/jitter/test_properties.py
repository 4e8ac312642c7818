"""What holds of the jitter buffer whatever comes in, and whatever a network does."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jitter.frames import FRAME, PACKET, Item, accounted, frame, play
from tests.session.peers import ALICE, ALICES, Server, ready_session
from voicekit import AudioFrame, JitterBuffer, JitterConfig, Lost
from voicekit.codes import SILENCE_FRAME

DURATIONS = (0, 120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760)


@dataclass
class Push:
    frame: AudioFrame


@dataclass
class Pop:
    now: float


times = st.floats(-10, 100)
pushes = st.builds(
    lambda sequence, rtp, duration, marker, opus, at: Push(
        AudioFrame(1, 7, opus, sequence, rtp, duration, marker, arrived=at)
    ),
    st.one_of(st.integers(0, 40), st.integers(-(2**40), 2**40)),
    st.one_of(st.integers(0, 40).map(lambda n: n * FRAME), st.integers(-(2**45), 2**45)),
    st.sampled_from(DURATIONS),
    st.booleans(),
    st.sampled_from([PACKET, SILENCE_FRAME, b"\xf8", b""]),
    times,
)
pops = st.builds(Pop, times)


@given(
    st.lists(st.one_of(pushes, pushes, pops), max_size=120),
    st.sampled_from([1, 3, 16, 512]),
    st.sampled_from([0.02, 0.06, 0.4]),
)
@settings(max_examples=400, deadline=None)
def test_nonsense_comes_out_in_order_once_and_accounted_for(
    events: list[Push | Pop], room: int, initial: float
) -> None:
    buffer = JitterBuffer(JitterConfig(max_packets=room, initial=initial))
    out: list[Item] = []
    for event in events:
        due = buffer.next_timeout()
        assert due is None or math.isfinite(due)
        if isinstance(event, Push):
            buffer.push(event.frame)
        else:
            item = buffer.pop(event.now)
            if item is not None:
                assert due is not None
                assert due <= event.now
                out.append(item)
        assert len(buffer) <= room
        assert accounted(buffer)
        assert buffer.config.minimum <= buffer.target <= buffer.config.maximum
    out += buffer.drain()
    assert len(buffer) == 0
    assert accounted(buffer)
    check_order(out)
    popped = [item for item in out if isinstance(item, AudioFrame)]
    given_in = {id(event.frame) for event in events if isinstance(event, Push)}
    assert {id(item) for item in popped} <= given_in
    assert len({id(item) for item in popped}) == len(popped) == buffer.stats().played


def check_order(out: list[Item]) -> None:
    following = -math.inf
    for item in out:
        assert item.sequence >= following
        if isinstance(item, Lost):
            assert item.packets > 0
            assert 0 <= item.conceal <= item.duration
            assert item.duration >= item.packets * 48  # 1 ms
            following = item.sequence + item.packets
        else:
            following = item.sequence + 1


@st.composite
def networks(draw: st.DrawFn) -> list[tuple[int, float | None]]:
    """Packet numbers with their delays, up to 0.15 s in any order; None is lost.

    No two times are so close that rounding decides which is first.
    """
    delays = st.one_of(st.none(), st.integers(0, 150).map(lambda n: n * 0.00100731))
    count = draw(st.integers(1, 80))
    return [(n, draw(delays)) for n in range(count)]


def arriving(network: list[tuple[int, float | None]], first: int = 0) -> list[AudioFrame]:
    return [
        frame(first + n, n * 0.02 + delay, rtp_time=(first + n) * FRAME)
        for n, delay in network
        if delay is not None
    ]


@given(networks())
@settings(max_examples=200, deadline=None)
def test_within_its_delay_everything_that_comes_is_played_and_the_rest_reported(
    network: list[tuple[int, float | None]],
) -> None:
    frames = arriving(network)
    buffer = JitterBuffer(JitterConfig(minimum=0.3, initial=0.3))
    out = play(buffer, frames)
    came = sorted(f.sequence for f in frames)
    assert [item.sequence for _, item in out if isinstance(item, AudioFrame)] == came
    missing = {n for n, _ in network if came and came[0] < n < came[-1]} - set(came)
    reported = [
        n
        for _, item in out
        if isinstance(item, Lost)
        for n in range(item.sequence, item.sequence + item.packets)
    ]
    assert reported == sorted(missing)
    check_order([item for _, item in out])
    assert [now for now, _ in out] == sorted(now for now, _ in out)


@given(networks(), st.sampled_from([0.02, 0.06, 0.2]))
@settings(max_examples=200, deadline=None)
def test_what_comes_in_order_is_never_late(
    network: list[tuple[int, float | None]], initial: float
) -> None:
    last = -math.inf
    in_order: list[tuple[int, float | None]] = []
    for n, delay in network:
        if delay is not None:
            last = max(last + 1e-6, n * 0.02 + delay)
            delay = last - n * 0.02
        in_order.append((n, delay))
    buffer = JitterBuffer(JitterConfig(initial=initial))
    play(buffer, arriving(in_order))
    assert buffer.stats().late == 0
    assert accounted(buffer)


@given(networks(), st.integers(-100, 100))
@settings(max_examples=100, deadline=None)
def test_numbers_that_wrap_on_the_wire_play_like_any_others(
    network: list[tuple[int, float | None]], offset: int
) -> None:
    """Through a session, whose counters go on: around 65536, and around 2**32 of RTP time."""
    first = 65536 + offset
    plain = play(JitterBuffer(), arriving(network, first))
    server, session = Server(), ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    frames = []
    for sent in sorted(arriving(network, first), key=lambda f: f.arrived):
        packet = server.packet(
            ALICES,
            sent.sequence,
            PACKET,
            timestamp=(sent.rtp_time + 2**32 - 65536 * FRAME) % 2**32,
        )
        received = session.receive(packet, sent.arrived)
        if received is not None:
            frames.append(received)
    wrapped = play(JitterBuffer(), frames)
    assert [n for n, _ in moments(plain)] == [n for n, _ in moments(wrapped)]
    assert [at for _, at in moments(plain)] == pytest.approx([at for _, at in moments(wrapped)])


def moments(out: list[tuple[float, Item]]) -> list[tuple[int, float]]:
    """Return each number from the first on, lost or not, and when it came."""
    first = out[0][1].sequence if out else 0
    return [
        (n - first, now)
        for now, item in out
        for n in range(item.sequence, item.sequence + getattr(item, "packets", 1))
    ]


@given(st.integers(1, 2**31), st.sampled_from(DURATIONS[1:]))
@settings(max_examples=50, deadline=None)
def test_memory_is_bounded_when_nobody_pops(seed: int, duration: int) -> None:
    buffer = JitterBuffer(JitterConfig(max_packets=64))
    for n in range(500):
        at = n * seed % 997
        buffer.push(frame(at, n * 0.02, rtp_time=at * duration, duration=duration))
        assert len(buffer) <= 64
    assert accounted(buffer)
