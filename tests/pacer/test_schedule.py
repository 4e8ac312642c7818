"""When each frame goes out, and under which numbers. The clock is told."""

import random
from itertools import pairwise

from voicekit import Config
from voicekit._crypto import TransportCipher
from voicekit.pacer import LatePolicy, Pacer, Stream
from voicekit.pacer._native import NativeLoop
from voicekit.pacer.threaded import ThreadedLoop

from .rig import (
    FRAME,
    KEY,
    MODE,
    MS,
    START,
    Told,
    live,
    make_session,
    told,
    voice,
    voices,
)

TICK = MS // 2


def test_nothing_goes_out_before_the_first_push(native: bool) -> None:
    with told(native) as rig:
        assert rig.run(1000 * MS) == []
        assert rig.stream.first_deadline is None


def test_the_first_frame_goes_out_within_two_milliseconds(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push(voice(0))
        ((when, packet),) = rig.run(10 * MS)
        assert packet.number == 0
        assert 0 < when - START <= 2 * MS
        assert when == rig.stream.first_deadline


def test_each_frame_is_due_when_the_one_before_has_lasted(native: bool) -> None:
    durations = [960, 480, 240, 120, 960, 960, 120]
    with told(native) as rig:
        for number, duration in enumerate(durations):
            assert rig.stream.push(voice(number, duration))
        sent = rig.run(90 * MS)[: len(durations)]
        assert [packet.number for _, packet in sent] == list(range(len(durations)))
        gaps = [after[0] - before[0] for before, after in pairwise(sent)]
        assert gaps == [duration * MS // 48 for duration in durations[:-1]]
        stamps = [packet.timestamp for _, packet in sent]
        steps = [(after - before) % 2**32 for before, after in pairwise(stamps)]
        assert steps == durations[:-1]


def test_sequence_timestamp_and_nonce_follow_each_other_and_wrap(native: bool) -> None:
    with told(native) as rig:
        packets = []
        for number in range(20):
            rig.stream.push(voice(number))
            packets += [packet for _, packet in rig.run(FRAME)]
        assert [packet.number for packet in packets] == list(range(20))
        assert [packet.sequence for packet in packets] == [(65_530 + n) % 2**16 for n in range(20)]
        assert [packet.timestamp for packet in packets] == [
            (2**32 - 1920 + 960 * n) % 2**32 for n in range(20)
        ]
        assert [packet.nonce for packet in packets] == list(range(100, 120))
        assert rig.session.last_sequence == packets[-1].sequence
        assert rig.session.packets_sent == 20


def test_rtcp_that_is_sealed_meanwhile_draws_from_the_same_nonces(native: bool) -> None:
    with told(native) as rig:
        nonces = []
        for number in range(50):
            rig.stream.push(voice(number))
            report = rig.session.receiver_report(number * 0.02)
            nonces.append(int.from_bytes(report[-4:], "big"))
            nonces += [packet.nonce for _, packet in rig.run(FRAME)]
        assert sorted(nonces) == list(range(100, 200))


def test_rtcp_from_another_thread_never_repeats_a_nonce(pacer: Pacer) -> None:
    with live(pacer, depth=1.0) as rig:
        assert rig.stream.push_many(voices(50)) == 50
        rig.stream.finish()
        nonces = set()
        sealed = 0
        while rig.stream.poll() is None:
            nonces.add(rig.session.receiver_report(0.0)[-4:])
            sealed += 1
        nonces |= {rig.listener.socket.recv(4096)[-4:] for _ in range(55)}
        assert len(nonces) == sealed + 55


def test_late_turns_do_not_move_the_schedule(native: bool) -> None:
    """Turns come up to 9 ms late, for an hour: no frame is early, none later than its turn."""
    rng = random.Random(27)
    with told(native, depth=1.0) as rig:
        pushed = rig.stream.push_many(voices(50))
        due, sent = rig.loop.take_turn(START), 0
        while sent < 60 * 60 * 50:
            assert due is not None
            now = due + rng.randrange(9 * MS)
            for packet in rig.at(now):
                assert packet.number == sent
                first = rig.stream.first_deadline or 0
                assert first + sent * FRAME <= now < first + sent * FRAME + 9 * MS
                sent += 1
            if rig.stream.room > 25:
                pushed += rig.stream.push_many(voices(50, pushed))
            due = rig.loop.take_turn(now)
        stats = rig.stream.stats()
        assert (stats.rebases, stats.underruns) == (0, 0)


def test_two_packets_are_never_closer_than_half_a_frame(native: bool) -> None:
    rng = random.Random(15)
    with told(native, depth=1.0) as rig:
        number, now, times = 0, START, []
        for _ in range(2000):
            number += rig.stream.push_many(voices(10, number))
            times += [now for _ in rig.at(now)]
            now += rng.choice([1, 1, 1, 5, 19, 45, 300]) * MS + rng.randrange(MS)
        assert len(times) > 300
        assert min(after - before for before, after in pairwise(times)) >= FRAME // 2


def test_streams_spread_over_the_period_and_stay_so(native: bool) -> None:
    """Eighty streams that begin at once are due in forty ticks, also after a stall of them all."""
    loop = NativeLoop() if native else ThreadedLoop()
    loop.set_clock(START)
    first = Told(native)
    streams = [
        Stream(
            loop,
            make_session(ssrc=ssrc),
            first.sock,
            depth=0.5,
            policy=LatePolicy.REBASE,
            clock_offset=0.0,
            notifier=None,
            owner=None,
        )
        for ssrc in range(80)
    ]
    for stream in streams:
        stream.push_many(voices(25))
    twice = sorted([*range(40), *range(40)])
    for begin in (START, START + 5_003 * MS):
        ticks = {}
        now: int | None = begin
        while now is not None and now < begin + 39 * MS:
            due = loop.take_turn(now)
            ticks |= {packet.ssrc: now // TICK % 40 for packet in first.listener.packets()}
            now = due
        assert sorted(ticks.values()) == twice
    for stream in streams:
        stream.remove()
    first.close()


def test_a_gap_moves_the_timestamp_by_whole_frames_and_marks_the_next_packet(native: bool) -> None:
    with told(native, config=Config(marker=True)) as rig:
        rig.stream.push_many(voices(2))
        before = [packet for _, packet in rig.run(300 * MS)]
        assert [packet.number for packet in before] == [0, 1] + [None] * 5
        rig.now += 10_007 * MS
        rig.loop.take_turn(rig.now)
        rig.stream.push(voice(2))
        ((when, packet),) = rig.run(15 * MS)
        assert packet.sequence == (before[-1].sequence + 1) % 2**16
        elapsed = when - (rig.stream.first_deadline or 0)
        stepped = (packet.timestamp - before[0].timestamp) % 2**32
        assert stepped % 960 == 0
        assert 0 <= elapsed - stepped * MS // 48 < FRAME
        assert [p.marker for p in before] == [True] + [False] * 6
        assert packet.marker


def test_without_the_option_no_packet_is_marked(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(2))
        assert not any(packet.marker for _, packet in rig.run(300 * MS))


def test_the_clock_offset_brings_the_schedule_to_the_clock_of_the_session(pacer: Pacer) -> None:
    """The media clock runs on the session's time: reports say when the audio was."""
    with live(pacer, clock_offset=1e6) as rig:
        rig.stream.push_many(voices(1))
        packet = rig.listener.packet()
        deadline = (rig.stream.first_deadline or 0) / 1e9 + 1e6
        rig.session.set_wall_clock(0.0, 0.0)
        # 12 bytes into the report, the RTP timestamp of the instant that is asked for.
        report = TransportCipher(MODE, KEY).open(rig.session.sender_report(deadline + 1.0), 8)
        told_time = int.from_bytes(report[8:12], "big")
        assert (told_time - packet.timestamp - 48_000) % 2**32 in (0, 1, 2**32 - 1)
