"""Tracks that do not line up: no silence before who comes later, drift over hours.

pycord#1980, #1611 and #1712, craig#11: tracks began where their user first spoke, silence was
guessed from arrival, and an hour later the voices answered before they were asked.
"""

from tests.media.recording.calls import speech, together
from voicekit.media import Recorder

OPUS = b"\xfc" + bytes(60)


def test_question_and_answer_stay_in_order_for_three_hours() -> None:
    """Two sound cards 100 ppm apart: after three hours 2.1 s, if nobody looks."""
    said: dict[int, list[int]] = {1: [], 2: []}

    class Sink:
        samples = 0

        def __init__(self, user_id: int) -> None:
            self.user_id = user_id

        def write(self, opus: bytes) -> None:
            said[self.user_id].append(self.samples)
            self.samples += 960

        def pause(self, samples: int) -> None:
            self.samples += samples

        def conceal(self, samples: int, following: bytes = b"") -> None:
            self.samples += samples

        def close(self) -> None:
            pass

    recorder = Recorder(None, Sink, begin=0.0)
    turns = range(0, 3 * 3600, 60)
    for turn in turns:
        calls = [
            speech(
                [OPUS] * 100,
                user_id=user,
                ssrc=user,
                sequence=100 * (turn // 60),
                rtp_time=round((turn + late) * (1 + drift) * 48_000),
                at=turn + late,
                drift=drift,
                jitter=0.02,
                seed=turn + user,
            )
            for user, late, drift in ((1, 0.0, 100e-6), (2, 3.0, -100e-6))
        ]
        for frame in together(*calls):
            recorder.write(frame)
    starts = {track.user_id: track.start for track in recorder.close()}
    for n in range(len(turns)):
        asked, answered = (starts[user] + said[user][100 * n] / 48_000 for user in (1, 2))
        assert abs(answered - asked - 3.0) <= 0.020
