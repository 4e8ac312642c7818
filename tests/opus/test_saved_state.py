"""An encoder goes back to where it was: what it encodes then is what it would have been."""

import pytest

from tests.measure import music
from voicekit.opus import Encoder

FRAMES = [music(0.6)[at : at + 960].tobytes() for at in range(0, 28_800, 960)]


@pytest.mark.parametrize("other", [False, True], ids=["the same encoder", "another one"])
def test_what_came_in_between_had_never_been(other: bool) -> None:
    encoder = Encoder()
    encoder.bitrate = 96_000
    for frame in FRAMES[:10]:
        encoder.encode(frame)
    saved = encoder.save()
    expected = [encoder.encode(frame) for frame in FRAMES[10:]]
    for frame in FRAMES[:10]:
        encoder.encode(frame)
    encoder.bitrate = 16_000
    resumed = Encoder() if other else encoder
    resumed.restore(saved)
    assert [resumed.encode(frame) for frame in FRAMES[10:]] == expected
    assert resumed.bitrate == 96_000


def test_a_state_of_another_kind_is_refused() -> None:
    encoder = Encoder()
    mono = Encoder(48_000, 1).save()
    before = encoder.save()
    for wrong in (b"", mono, before + b"\0"):
        with pytest.raises(ValueError, match="bytes"):
            encoder.restore(wrong)
    assert encoder.save() == before
