"""What holds of both engines whatever a network does, and whatever comes in."""

import itertools
from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from voicekit import AudioFrame, Lost
from voicekit.codes import SILENCE_FRAME
from voicekit.events import UserLeft
from voicekit.media.receiving import (
    TICK,
    ListenConfig,
    Speech,
    SpeechBegan,
    SpeechEnded,
    SpeechEvent,
    Ticker,
    Utterances,
    VoiceTick,
)

from .calls import ALICE, BOB, CAROL, PACKET, Happening, frame, items, run, said

USERS = (ALICE, BOB, CAROL)


@st.composite
def calls(draw: st.DrawFn) -> list[AudioFrame]:
    """Some talk spurts of three users over a bad network: lost, late, overtaken, twice."""
    random = Random(draw(st.integers(0, 2**32)))
    loss = draw(st.sampled_from([0.0, 0.05, 0.3]))
    jitter = draw(st.sampled_from([0.0, 0.01, 0.06, 0.2]))
    frames = []
    for user in USERS:
        now, n = random.uniform(0, 1), 0
        for _ in range(draw(st.integers(0, 4))):
            voice = random.randrange(1, 60)
            for index in range(voice + 5):
                opus = PACKET if index < voice else SILENCE_FRAME
                copies = random.choices([0, 1, 2], [loss, 1 - loss, 0.01])[0]
                frames += [
                    frame(user, n, now, opus=opus, delay=random.uniform(0, jitter))
                    for _ in range(copies)
                ]
                now, n = now + 0.02, n + 1
            now += random.uniform(0, 3)
    return frames


@given(calls())
@settings(max_examples=40, deadline=None)
def test_every_frame_is_in_one_tick_or_counted_and_every_number_is_heard_or_lost(
    frames: list[AudioFrame],
) -> None:
    engine = Ticker(now=0.0)
    ticks = run(engine, frames, until=20.0)
    assert [tick.number for tick in ticks] == list(range(1001))
    stats = engine.stats()
    for user in USERS:
        heard = items(ticks, user)
        given_in = {id(sent) for sent in frames if sent.user_id == user}
        played = [item for item in heard if isinstance(item, AudioFrame)]
        assert {id(item) for item in played} <= given_in
        assert len({id(item) for item in played}) == len(played)
        following = None
        for item in heard:
            assert following in (None, item.sequence)  # without a hole that is not named
            following = item.sequence + (item.packets if isinstance(item, Lost) else 1)
        if given_in:
            s = stats[user]
            assert s.played == len(played)
            assert s.waiting == 0
            assert len(given_in) == s.played + s.late + s.duplicates + s.skipped
    check_ticks(ticks)


def check_ticks(ticks: list[VoiceTick]) -> None:
    for a, b in itertools.pairwise(ticks):
        assert abs(b.at - a.at - (b.number - a.number) * TICK) < 1e-6
    for tick in ticks:
        assert not tick.silent & tick.speaking.keys()


@given(calls(), st.integers(0, 2**32), st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_comes_out_does_not_depend_on_how_often_it_is_asked_for(
    frames: list[AudioFrame], seed: int, leaves: bool
) -> None:
    happenings: list[Happening] = [*frames]
    if leaves:
        happenings.append((UserLeft(BOB), 2.5))
    random = Random(seed)
    makes: list[Callable[[], Ticker | Utterances]] = [
        lambda: Utterances(size=10_000),
        lambda: Ticker(size=10_000, now=0.0),
    ]
    for make in makes:
        promptly = run(make(), happenings, until=20.0)
        rarely = run(make(), happenings, until=20.0, asked=lambda: random.uniform(0.001, 2))
        assert rarely == promptly


@given(calls(), st.sampled_from([None, 0.8]), st.sampled_from([0.3, 1.5]))
@settings(max_examples=40, deadline=None)
def test_utterances_are_borders_around_pieces_in_order(
    frames: list[AudioFrame], silence: float | None, inactivity: float
) -> None:
    config = ListenConfig(silence=silence, inactivity=inactivity)
    engine = Utterances(config)
    events = run(engine, frames, until=30.0)
    for user in USERS:
        mine = [event for event in events if event.user_id == user]
        check_utterances(mine)
        assert not mine or isinstance(mine[-1], SpeechEnded)
        voice = sum(item in said(mine, user) for item in frames if item.user_id == user)
        if voice and silence:  # all voice that was played is in one
            stats = engine.stats()[user]
            quiet = stats.played - sum(isinstance(i, AudioFrame) for i in said(mine, user))
            assert 0 <= quiet <= 5 * sum(isinstance(event, SpeechBegan) for event in mine)


def check_utterances(events: list[SpeechEvent]) -> None:
    """Hold the events of one user to: began, pieces, ended, and again; times go forward."""
    is_open = False
    number = -(2**62)
    for event in events:
        if isinstance(event, SpeechBegan):
            assert not is_open
            is_open = True
        else:
            assert is_open
        if isinstance(event, SpeechEnded):
            is_open = False
            assert event.seconds >= 0
        if isinstance(event, Speech):
            assert event.item.sequence > number or event.item.sequence < number - 1000
            number = event.item.sequence
            assert event.pause >= 0
    for a, b in itertools.pairwise(events):
        assert b.at >= a.at - 1e-9


nonsense = st.builds(
    lambda user, ssrc, sequence, rtp, duration, opus, at: AudioFrame(
        user, ssrc, opus, sequence, rtp, duration, arrived=at
    ),
    st.sampled_from([*USERS, *range(100, 110)]),
    st.integers(1, 3),
    st.one_of(st.integers(0, 40), st.integers(-(2**40), 2**40)),
    st.one_of(st.integers(0, 40).map(lambda n: n * 960), st.integers(-(2**45), 2**45)),
    st.sampled_from([0, 120, 960, 5760]),
    st.sampled_from([PACKET, SILENCE_FRAME, b"\xf8", b"", b"\xff\xff"]),
    st.floats(0, 30),
)
leaving = st.builds(lambda user, at: (UserLeft(user), at), st.sampled_from(USERS), st.floats(0, 30))


@given(st.lists(st.one_of(nonsense, nonsense, nonsense, leaving), max_size=100), st.booleans())
@settings(max_examples=100, deadline=None)
def test_nonsense_raises_nothing_ends_and_fills_no_memory(
    happenings: list[Happening], pcm: bool
) -> None:
    config = ListenConfig(max_speakers=4, forget_after=5.0)
    ticker = Ticker(config, pcm=pcm, size=10_000, now=0.0)
    check_ticks(run(ticker, happenings, until=40.0, check=lambda: bounded(ticker)))
    assert not ticker.stats()
    utterances = Utterances(config, pcm=pcm)
    events = run(utterances, happenings, until=40.0, check=lambda: bounded(utterances))
    assert not utterances.stats()
    for user in {event.user_id for event in events}:
        check_order([event for event in events if event.user_id == user])


def check_order(events: list[SpeechEvent]) -> None:
    kinds = [type(event) for event in events]
    assert kinds[0] is SpeechBegan
    assert kinds[-1] is SpeechEnded
    assert kinds.count(SpeechBegan) == kinds.count(SpeechEnded)


def bounded(engine: Ticker | Utterances) -> None:
    assert len(engine.stats()) <= 4


@given(st.lists(nonsense, max_size=60), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_at_the_end_everything_is_handed_out(frames: list[AudioFrame], size: int) -> None:
    engine = Utterances(size=size)
    for sent in sorted(frames, key=lambda f: f.arrived):
        engine.receive_frame(sent)
    engine.finish(30.0)
    assert engine.next_timeout() is None
    left = 0
    while engine.poll() is not None:
        left += 1
    assert left <= size
