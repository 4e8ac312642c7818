"""Ticks of 20 ms: who is in which, with what."""

import math
from array import array

import pytest

from voicekit import AudioFrame, JitterConfig, LocalProtocolError, Lost
from voicekit.codes import SILENCE_FRAME
from voicekit.events import UserLeft
from voicekit.media.receiving import TICK, ListenConfig, Ticker, VoiceTick
from voicekit.opus import Decoder, Encoder

from .calls import ALICE, BOB, CAROL, FRAME, PACKET, frame, items, numbers, run, talk

SAMPLES = 960


def tone(hertz: float, count: int) -> list[bytes]:
    """Return a sine in packets of 20 ms, mono."""
    encoder = Encoder(48_000, 1)
    encoder.bitrate = 64_000
    wave = [
        round(8000 * math.sin(2 * math.pi * hertz * t / 48_000)) for t in range(count * SAMPLES)
    ]
    return [encoder.encode(array("h", wave[n * SAMPLES : (n + 1) * SAMPLES])) for n in range(count)]


def loudness(pcm: bytes) -> float:
    samples = array("h", pcm)
    return math.sqrt(sum(value * value for value in samples) / len(samples))


def test_everybody_s_frames_come_together_in_ticks_of_20_ms() -> None:
    ticks = run(
        Ticker(now=0.0), talk(ALICE, 0.0, 50) + talk(BOB, 0.007, 50) + talk(CAROL, 0.5, 20), until=2
    )
    assert [tick.number for tick in ticks] == list(range(101))
    assert [tick.at for tick in ticks] == pytest.approx([n * TICK for n in range(101)])
    for user, count in ((ALICE, 55), (BOB, 55), (CAROL, 25)):
        assert numbers(items(ticks, user)) == list(range(count))
        assert max(len(tick.speaking.get(user, ())) for tick in ticks) == 1
    assert all(items for tick in ticks for items in tick.speaking.values())
    together = [tick for tick in ticks if tick.speaking.keys() == {ALICE, BOB}]
    assert len(together) >= 25
    # 60 ms is the delay of a path that nothing is known of.
    assert min(tick.at for tick in ticks if ALICE in tick.speaking) == pytest.approx(0.06)


@pytest.mark.parametrize("begin", [0.0, 0.1, 1e6, 12345.678])
def test_who_is_in_step_with_the_ticks_has_one_frame_in_each_whatever_sums_round_to(
    begin: float,
) -> None:
    frames = talk(ALICE, begin, 300)
    ticks = run(Ticker(now=begin), frames, until=begin + 8)
    assert [len(tick.speaking[ALICE]) for tick in ticks if ALICE in tick.speaking] == [1] * 305


def test_ticks_go_on_while_nobody_speaks() -> None:
    ticks = run(Ticker(now=5.0), [], until=6.0)
    assert len(ticks) == 51
    assert not any(tick.speaking or tick.silent or tick.pcm for tick in ticks)


def test_who_is_silent_after_speaking_is_named() -> None:
    ticks = run(Ticker(now=0.0), talk(ALICE, 0.0, 10), until=1.0)
    assert ticks[-1].silent == {ALICE}
    assert all(not tick.silent & tick.speaking.keys() for tick in ticks)


def test_a_hole_is_lost_in_its_place_and_what_is_late_leaves_an_empty_tick() -> None:
    frames = talk(ALICE, 0.0, 20, silence=0) + talk(ALICE, 0.4, 20, first=20, delay=0.11)
    del frames[10]
    ticks = run(Ticker(now=0.0), frames, until=2.0)
    assert numbers(items(ticks, ALICE)) == [*range(10), (10, 1), *range(11, 45)]
    waits = [tick.at for tick in ticks if tick.speaking.get(ALICE) == ()]
    assert 0.4 < min(waits) <= max(waits) < 0.55


@pytest.mark.parametrize(("duration", "toc"), [(120, 0xE0), (480, 0xF0), (2880, 0x18)])
def test_frames_of_other_lengths(duration: int, toc: int) -> None:
    seconds = duration / 48_000
    frames = [
        frame(ALICE, n, n * seconds, duration=duration, opus=bytes([toc]) + bytes(20))
        for n in range(round(0.6 / seconds))
    ]
    ticks = run(Ticker(now=0.0), frames, until=2.0)
    assert items(ticks, ALICE) == frames
    speaking = [n for n, tick in enumerate(ticks) if ALICE in tick.speaking]
    assert speaking == list(range(speaking[0], speaking[0] + len(speaking)))  # without a break


def test_a_user_filter_may_be_a_set_that_changes_or_a_function() -> None:
    wanted = {ALICE}
    frames = talk(ALICE, 0.0, 10) + talk(BOB, 0.0, 10)
    engine = Ticker(users=wanted, now=0.0)
    ticks = run(engine, frames, until=1.0)
    assert items(ticks, ALICE)
    assert not items(ticks, BOB)
    wanted.add(BOB)
    assert items(run(engine, talk(BOB, 1.0, 10, first=50), until=2.0), BOB)
    ticks = run(Ticker(users=lambda user: user == BOB, now=0.0), frames, until=1.0)
    assert items(ticks, BOB)
    assert not items(ticks, ALICE)


def test_a_new_ssrc_of_a_user_goes_on_without_losing_what_waits_of_the_old_one() -> None:
    before = talk(ALICE, 0.0, 20, silence=0)
    after = talk(ALICE, 0.4, 20, ssrc=99, first=7000)
    ticks = run(Ticker(now=0.0), before + after, until=2.0)
    assert items(ticks, ALICE) == before + after


def test_of_two_streams_at_once_one_is_heard() -> None:
    one = talk(ALICE, 0.0, 200, silence=0)
    two = talk(ALICE, 1.0, 150, ssrc=99, silence=0)
    heard = items(run(Ticker(now=0.0), one + two, until=6.0), ALICE)
    # Up to the longest delay after the change the old stream is taken for overtaken packets.
    assert [f for f in heard if isinstance(f, AudioFrame) and f.ssrc == 99] == two
    old = [f.arrived for f in heard if isinstance(f, AudioFrame) and f.ssrc == ALICE]
    assert max(old) <= 1.0 + JitterConfig().maximum
    assert len(old) > 50


def test_a_stream_that_was_given_up_is_heard_again_once_the_other_is_quiet() -> None:
    frames = talk(ALICE, 0.0, 10) + talk(ALICE, 1.0, 10, ssrc=99)
    again = talk(ALICE, 2.0, 10, first=15)
    heard = items(run(Ticker(now=0.0), frames + again, until=3.0), ALICE)
    assert heard == frames + again


def test_who_leaves_is_played_out_and_forgotten() -> None:
    frames = talk(ALICE, 0.0, 10, silence=0)
    left = (UserLeft(ALICE), 0.19)
    ticks = run(Ticker(now=0.0), [*frames, left, (UserLeft(BOB), 0.2)], until=1.0)
    assert items(ticks, ALICE) == frames
    assert ticks[-1].silent == frozenset()


def test_who_is_silent_for_long_is_forgotten() -> None:
    engine = Ticker(ListenConfig(forget_after=5.0), now=0.0)
    run(engine, talk(ALICE, 0.0, 10), until=5.0)
    assert engine.stats().keys() == {ALICE}
    assert engine.stats()[ALICE].played == 15
    run(engine, [], until=6.0)
    assert not engine.stats()


def test_beyond_the_limit_the_one_who_was_silent_for_longest_goes() -> None:
    engine = Ticker(ListenConfig(max_speakers=2), now=0.0)
    frames = talk(ALICE, 0.0, 5) + talk(BOB, 0.5, 5) + talk(CAROL, 1.0, 5)
    ticks = run(engine, frames, until=2.0)
    assert engine.stats().keys() == {BOB, CAROL}
    assert items(ticks, CAROL) == frames[20:]


def test_a_slow_reader_loses_the_oldest_ticks_and_they_are_counted() -> None:
    engine = Ticker(size=10, now=0.0)
    for sent in talk(ALICE, 0.0, 100):
        engine.receive_frame(sent)
    engine.handle_timeout(3.0)
    ticks: list[VoiceTick] = []
    while (tick := engine.poll()) is not None:
        ticks.append(tick)
    assert [tick.number for tick in ticks] == list(range(141, 151))
    assert engine.dropped == 141
    engine.handle_timeout(1000.0)  # a process that was stopped meanwhile
    assert engine.poll().number == 49_991  # type: ignore[union-attr]
    assert engine.dropped == 141 + 49_991 - 151


def test_at_the_end_of_the_call_what_waits_is_played() -> None:
    engine = Ticker(now=0.0)
    frames = talk(ALICE, 0.0, 10)
    ticks = run(engine, frames, until=0.29)
    assert len(items(ticks, ALICE)) < len(frames)
    engine.finish(0.29)
    while (tick := engine.poll()) is not None:
        ticks.append(tick)
    assert items(ticks, ALICE) == frames
    assert engine.next_timeout() == pytest.approx(ticks[-1].at + TICK)


def test_pcm_is_20_ms_of_each_speaker_in_each_tick() -> None:
    frames = [frame(ALICE, n, n * 0.02, opus=p) for n, p in enumerate(tone(440, 50))]
    frames += [frame(BOB, n, 0.013 + n * 0.02, opus=p) for n, p in enumerate(tone(1000, 50))]
    ticks = run(Ticker(ListenConfig(channels=1), pcm=True, now=0.0), frames, until=2.0)
    for user in (ALICE, BOB):
        pieces = [tick.pcm[user] for tick in ticks if user in tick.pcm]
        assert {len(piece) for piece in pieces} == {2 * SAMPLES}
        assert all(loudness(piece) > 5000 for piece in pieces[2:48])
    assert all(tick.pcm.keys() >= tick.speaking.keys() for tick in ticks)


@pytest.mark.parametrize("duration", [120, 480, 960, 2880])
@pytest.mark.parametrize("phase", [0.0, 0.0012, 0.0191])
def test_in_pcm_frames_of_any_length_are_joined_and_cut_without_losing_a_sample(
    duration: int, phase: float
) -> None:
    encoder, decoder = Encoder(48_000, 1), Decoder(48_000, 1)
    seconds = duration / 48_000
    count = 24_000 // duration
    wave = [round(8000 * math.sin(0.05 * t)) for t in range(24_000)]
    packets = [
        encoder.encode(array("h", wave[n * duration : (n + 1) * duration])) for n in range(count)
    ]
    frames = [
        frame(ALICE, n, phase + n * seconds, duration=duration, opus=packet)
        for n, packet in enumerate(packets)
    ]
    end = phase + count * seconds
    frames += talk(ALICE, end, 0, first=count)  # silence: whatever comes behind it is over
    packets += [SILENCE_FRAME] * 5
    engine = Ticker(ListenConfig(channels=1), pcm=True, now=0.0)
    pieces = [tick.pcm[ALICE] for tick in run(engine, frames, until=1.0) if ALICE in tick.pcm]
    assert {len(piece) for piece in pieces} == {2 * SAMPLES}
    spoken = b"".join(map(decoder.decode, packets))
    heard = b"".join(pieces)
    begin = heard.find(spoken[480:960])  # the encoder's own delay is zeros
    assert begin >= 480
    assert heard[begin:].startswith(spoken[480:])
    assert not any(heard[: begin - 480])
    assert len(heard) <= len(spoken) + 2 * 2 * SAMPLES


def test_in_pcm_what_is_lost_or_late_is_made_up() -> None:
    packets = tone(440, 60)
    frames = [frame(ALICE, n, n * 0.02, opus=p) for n, p in enumerate(packets) if n != 20]
    frames = [
        frame(ALICE, f.sequence, f.rtp_time / 48_000, opus=f.opus, delay=0.1)
        if 40 <= f.sequence < 44
        else f
        for f in frames
    ]
    ticks = run(Ticker(ListenConfig(channels=1), pcm=True, now=0.0), frames, until=2.0)
    heard = items(ticks, ALICE)
    assert any(isinstance(item, Lost) for item in heard)
    assert any(tick.speaking.get(ALICE) == () for tick in ticks)
    pieces = [tick.pcm[ALICE] for tick in ticks if ALICE in tick.pcm]
    assert all(loudness(piece) > 2000 for piece in pieces[2:58])


def test_a_sender_whose_packets_last_longer_than_its_clock_fills_no_memory() -> None:
    encoder = Encoder(48_000, 1)
    long = encoder.encode(array("h", [1000] * 2880))
    frames = [frame(ALICE, n, n * 0.005, duration=2880, opus=long) for n in range(400)]
    engine = Ticker(ListenConfig(channels=1), pcm=True, now=0.0)
    ticks = run(engine, frames, until=2.0)
    assert {len(pcm) for tick in ticks for pcm in tick.pcm.values()} == {2 * SAMPLES}
    rest = run(engine, [], until=4.0)
    assert sum(len(tick.pcm) for tick in rest) <= 50


@pytest.mark.parametrize("now", [math.nan, math.inf])
def test_what_is_no_time_is_refused(now: float) -> None:
    with pytest.raises(LocalProtocolError, match="no time"):
        Ticker(now=now)
    engine = Ticker(now=0.0)
    with pytest.raises(LocalProtocolError, match="no time"):
        engine.handle_timeout(now)
    with pytest.raises(LocalProtocolError, match="no time"):
        engine.receive_frame(AudioFrame(ALICE, 1, PACKET, 0, 0, FRAME, arrived=now))


@pytest.mark.parametrize(
    "wrong",
    [
        {"silence": None},
        {"silence": 0.0},
        {"inactivity": math.nan},
        {"patience": -1.0},
        {"forget_after": math.inf},
        {"quiet_level": 128},
        {"max_speakers": 0},
        {"channels": 6},
    ],
)
def test_settings_that_can_not_work_are_refused(wrong: dict[str, float | None]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ListenConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="room"):
        Ticker(size=0, now=0.0)
