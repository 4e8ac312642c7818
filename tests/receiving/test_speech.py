"""Utterances: where they begin and end, and what is in them."""

import math
from array import array

import pytest

from voicekit import LocalProtocolError, Lost
from voicekit.events import UserJoined, UserLeft
from voicekit.media.receiving import (
    EndReason,
    ListenConfig,
    Speech,
    SpeechBegan,
    SpeechEnded,
    SpeechEvent,
    Utterances,
)
from voicekit.opus import Decoder, Encoder

from .calls import ALICE, BOB, CAROL, PACKET, frame, numbers, run, said, talk


def borders(events: list[SpeechEvent]) -> list[tuple[int, str | EndReason, float]]:
    """Return who began and ended when."""
    return [
        (event.user_id, "began" if isinstance(event, SpeechBegan) else event.reason, event.at)
        for event in events
        if not isinstance(event, Speech)
    ]


def at(seconds: float) -> object:
    return pytest.approx(seconds, abs=1e-6)


def test_an_utterance_is_everything_from_the_first_word_until_silence() -> None:
    frames = talk(ALICE, 0.0, 50) + talk(ALICE, 1.5, 50, first=55) + talk(ALICE, 5.0, 10, first=110)
    events = run(Utterances(), frames, until=8.0)
    assert said(events, ALICE) == frames
    # 60 ms of delay; the pause of 0.5 s is within a sentence, the other one is not.
    assert borders(events) == [
        (ALICE, "began", at(0.06)),
        (ALICE, EndReason.SILENCE, at(2.5 + 0.06 + 0.8)),
        (ALICE, "began", at(5.0 + events[-1].at - 0.8 - 5.2)),
        (ALICE, EndReason.SILENCE, events[-1].at),
    ]
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    assert [event.seconds for event in ended] == [at(2.5), at(0.2)]


def test_silence_that_is_sent_all_the_time_ends_an_utterance_by_silence_not_by_inactivity() -> None:
    frames = talk(ALICE, 0.0, 50, silence=200)
    events = run(Utterances(), frames, until=6.0)
    assert [where for _, where, _ in borders(events)] == ["began", EndReason.SILENCE]
    events = run(Utterances(ListenConfig(silence=None, inactivity=1.0)), frames, until=7.0)
    assert borders(events)[-1] == (ALICE, EndReason.INACTIVITY, at(5.0 + 0.06 + 1.0))
    assert said(events, ALICE) == frames
    both = run(Utterances(ListenConfig(silence=3.0, inactivity=0.5)), frames[:50], until=7.0)
    assert borders(both)[-1][1:] == (EndReason.INACTIVITY, at(1.0 + 0.06 + 0.5))


def test_silence_alone_begins_nothing() -> None:
    assert run(Utterances(), talk(ALICE, 0.0, 0, silence=5), until=5.0) == []


def test_a_quiet_room_is_silence_where_the_header_says_how_loud_it_is() -> None:
    speech = talk(ALICE, 0.0, 50, silence=0, audio_level=30)
    room = talk(ALICE, 1.0, 200, first=50, silence=0, audio_level=75)
    assert len(borders(run(Utterances(), speech + room, until=4.0))) == 1
    events = run(Utterances(ListenConfig(quiet_level=70)), speech + room, until=4.0)
    assert borders(events)[-1] == (ALICE, EndReason.SILENCE, at(1.0 + 0.06 + 0.8))


def test_pauses_are_numbers() -> None:
    frames = talk(ALICE, 0.0, 10) + talk(ALICE, 0.8, 10, first=15)
    pieces = [e for e in run(Utterances(), frames, until=4.0) if isinstance(e, Speech)]
    pauses = {piece.item.sequence: piece.pause for piece in pieces if piece.pause > 1e-6}
    assert pauses.keys() == {15}
    assert 0.4 < pauses[15] <= 0.5 + 1e-6


def test_holes_are_told_in_their_place_also_before_the_first_word_that_came() -> None:
    frames = talk(ALICE, 0.0, 20) + talk(ALICE, 3.0, 20, first=25)
    del frames[25]  # the first of the second utterance
    del frames[7:9]
    events = run(Utterances(), frames, until=6.0)
    assert numbers(said(events, ALICE)) == [
        *range(7), (7, 1), (8, 1), *range(9, 25), (25, 1), *range(26, 50)
    ]  # fmt: skip


def test_people_talk_over_each_other_each_in_utterances_of_their_own() -> None:
    frames = talk(ALICE, 0.0, 100) + talk(BOB, 0.5, 20) + talk(CAROL, 3.5, 5)
    events = run(Utterances(users=[ALICE, BOB]), frames, until=6.0)
    assert said(events, ALICE) + said(events, BOB) == frames[:-10]
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert [user for user, _, _ in borders(events)] == [ALICE, BOB, BOB, ALICE]


def test_who_leaves_is_heard_to_the_end_then_the_utterance_ends() -> None:
    frames = talk(ALICE, 0.0, 10, silence=0)
    left = (UserLeft(ALICE), 0.19)
    events = run(Utterances(), [*frames, (UserJoined(BOB), 0.1), left, (UserLeft(BOB), 0.3)])
    assert said(events, ALICE) == frames
    assert borders(events)[-1] == (ALICE, EndReason.LEFT, at(0.26))


def test_who_comes_again_with_a_new_ssrc_is_the_same_speaker() -> None:
    before = talk(ALICE, 0.0, 10, silence=0)
    after = talk(ALICE, 0.22, 10, ssrc=99, first=500)
    events = run(Utterances(), [*before, (UserLeft(ALICE), 0.2), *after], until=4.0)
    assert said(events, ALICE) == before + after
    assert [where for _, where, _ in borders(events)][-1] is EndReason.SILENCE


def test_the_end_of_the_call_ends_every_utterance_and_loses_nothing() -> None:
    engine = Utterances()
    frames = talk(ALICE, 0.0, 10, silence=0)
    events = run(engine, [*frames, *talk(BOB, 0.0, 5)], until=0.2)
    engine.finish(0.2)
    while (event := engine.poll()) is not None:
        events.append(event)
    assert said(events, ALICE) == frames
    assert [(user, where) for user, where, _ in borders(events)[2:]] == [
        (ALICE, EndReason.CLOSED),
        (BOB, EndReason.CLOSED),
    ]
    assert engine.next_timeout() is None


def test_beyond_the_limit_the_utterance_of_the_quietest_ends() -> None:
    engine = Utterances(ListenConfig(max_speakers=1))
    events = run(engine, talk(ALICE, 0.0, 10) + talk(BOB, 0.5, 10), until=3.0)
    assert [(user, where) for user, where, _ in borders(events)] == [
        (ALICE, "began"),
        (ALICE, EndReason.FORGOTTEN),
        (BOB, "began"),
        (BOB, EndReason.SILENCE),
    ]
    assert engine.stats().keys() == {BOB}


def test_a_slow_reader_loses_the_oldest_pieces_but_not_that_somebody_began_and_ended() -> None:
    engine = Utterances(size=10)
    for sent in talk(ALICE, 0.0, 50, silence=0):
        engine.receive_frame(sent)
    engine.handle_timeout(5.0)
    events = []
    while (event := engine.poll()) is not None:
        events.append(event)
    assert isinstance(events[0], SpeechBegan)
    assert isinstance(events[-1], SpeechEnded)
    assert numbers(said(events, ALICE)) == list(range(42, 50))
    assert engine.dropped == 42


def test_pcm_has_the_sound_of_each_piece_and_of_its_holes() -> None:
    encoder = Encoder(48_000, 1)
    wave = [round(8000 * math.sin(0.05 * t)) for t in range(50 * 960)]
    packets = [encoder.encode(array("h", wave[n * 960 : (n + 1) * 960])) for n in range(50)]
    frames = [frame(ALICE, n, n * 0.02, opus=p) for n, p in enumerate(packets) if n != 30]
    events = run(Utterances(ListenConfig(channels=1), pcm=True), frames, until=4.0)
    pieces = [event for event in events if isinstance(event, Speech)]
    assert [len(piece.pcm) for piece in pieces] == [1920] * 50
    assert isinstance(pieces[30].item, Lost)
    assert all(max(array("h", piece.pcm)) > 4000 for piece in pieces[1:])
    assert all(not e.pcm for e in run(Utterances(), frames) if isinstance(e, Speech))


def test_in_pcm_a_new_ssrc_begins_with_a_decoder_of_its_own() -> None:
    frames, fresh = [], []
    for number, hertz in enumerate((440, 1000)):
        encoder, decoder = Encoder(48_000, 1), Decoder(48_000, 1)
        for n in range(10):
            wave = (
                math.sin(hertz * 2 * math.pi * t / 48_000) for t in range(n * 960, n * 960 + 960)
            )
            opus = encoder.encode(array("h", [round(8000 * value) for value in wave]))
            sent = number * 0.2 + n * 0.02
            frames.append(frame(ALICE, n, sent, ssrc=70 + number, opus=opus))
            fresh.append(decoder.decode(opus))
    events = run(Utterances(ListenConfig(channels=1), pcm=True), frames)
    assert [event.pcm for event in events if isinstance(event, Speech)] == fresh


def test_what_can_not_work_is_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        Utterances(size=0)
    with pytest.raises(LocalProtocolError, match="no time"):
        Utterances().handle_timeout(math.inf)


def test_a_hole_of_thousands_that_is_long_past_is_one_piece() -> None:
    frames = [*talk(ALICE, 0.0, 10), frame(ALICE, 30_000, 500.0, opus=PACKET)]
    config = ListenConfig(silence=1000.0, forget_after=1000.0)
    heard = said(run(Utterances(config), frames, until=600.0), ALICE)
    assert len(heard) <= 30
