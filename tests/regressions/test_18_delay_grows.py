"""Delay that grows over an hour: the timestamp stands still while nobody speaks.

discordgo PR#1695 (2 s and more after about an hour: every pause is a little delay that the
receiver's buffer never makes up for). Item 18 of the list of what users suffer from.
"""

from tests.session.peers import VOICE, ready_session

FRAME = 960


def test_discordgo_1695_after_an_hour_of_talk_spurts_the_clocks_agree():
    session = ready_session(timestamp=2**32 - 480_000)  # wraps after ten seconds
    extended, previous = 0, None
    now = 0.0
    for spurt in range(600):
        start = now = spurt * 6.013  # never a multiple of a frame
        for index in range(150):
            now = start + index * 0.02
            assert session.seal_audio(VOICE, now) is not None
            step = 0 if previous is None else (session.last_timestamp - previous) % 2**32
            assert step % FRAME == 0
            extended += step
            previous = session.last_timestamp
        assert abs(extended / 48_000 - now) < 0.15
    assert now > 3600


def test_discordgo_1695_sequence_numbers_have_no_gap_at_a_pause():
    session = ready_session(sequence=65_000)
    numbers = []
    for now in (0.0, 0.02, 60.0, 60.02, 4000.0):
        session.seal_audio(VOICE, now)
        numbers.append(session.last_sequence)
    assert numbers == [65_000, 65_001, 65_002, 65_003, 65_004]


def test_discordgo_1695_the_marker_at_a_talk_spurt_is_an_option():
    plain = ready_session()
    marking = ready_session(marker=True)
    for session, expected in ((plain, [0, 0, 0]), (marking, [1, 0, 1])):
        marks = [session.seal_audio(VOICE, now)[1] >> 7 for now in (0.0, 0.02, 9.0)]
        assert marks == expected
