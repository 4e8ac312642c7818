"""The first syllable of speech synthesis is clipped.

hermes-agent#66827: receivers open their playout with the first packet, and what is said before it
is open is gone; the way out was to prepend 200 ms of silence. Item 31 of the list of what users
suffer from. Here what is pushed has a lead-in by itself, and all of it is sent.
"""

import io

import numpy as np
import pytest

from tests.measure import find_lag
from tests.media.recording.calls import RATE
from tests.media.recording.test_speech_through_loss import speech
from voicekit.media import PushSource, Recorder
from voicekit.testing import Pair

SYLLABLES = speech(3.0)


@pytest.mark.parametrize("lead_in", [0.2, 0.0])
def test_hermes_66827_a_pushed_utterance_is_heard_from_its_first_sample(lead_in: float) -> None:
    source = PushSource(lead_in=lead_in)
    assert source.push(SYLLABLES.tobytes()) == SYLLABLES.nbytes
    source.end()
    packets = list(iter(source.read, None))
    assert source.silent_frames == lead_in / 0.02
    pair = Pair(clients=2)
    pair.connect()
    mouth, ears = pair.clients
    pair.play(mouth, packets)
    pair.drive(5.0)
    recorder = Recorder(None, "pcm")
    for frame in ears.frames:
        recorder.write(frame)
    recorder.close()
    (file,) = recorder.recordings.values()
    assert isinstance(file, io.BytesIO)
    heard = np.frombuffer(file.getvalue(), "<i2").reshape(-1, 2)
    lead = round(lead_in * RATE)
    assert find_lag(SYLLABLES / 32_768, heard[lead:] / 32_768) == 0
    first = slice(0, RATE // 4)  # the first syllable
    wanted, got = SYLLABLES[first].astype(float), heard[lead:][first].astype(float)
    assert np.square(got).sum() > 0.9 * np.square(wanted).sum()
    assert np.corrcoef(wanted[:, 0], got[:, 0])[0, 1] > 0.95
    assert np.abs(heard[: max(0, lead - 960)]).max(initial=0) < 50


def test_silence_that_nobody_pushed_keeps_its_place_and_clips_nothing_later() -> None:
    """A second utterance comes when the assistant has thought about it: no lead-in is needed."""
    source = PushSource(lead_in=0.2)
    heard = []
    source.push(SYLLABLES[:RATE].tobytes())
    heard += [source.next_pcm() for _ in range(60)]
    waits = source.silent_frames
    heard += [source.next_pcm() for _ in range(40)]
    assert source.silent_frames == waits + 40
    source.push(SYLLABLES[RATE:].tobytes())
    source.end()
    heard += list(iter(source.next_pcm, None))
    pcm = np.frombuffer(b"".join(filter(None, heard)), np.int16).reshape(-1, 2)
    assert (pcm[RATE // 5 : RATE // 5 + RATE] == SYLLABLES[:RATE]).all()
    assert (pcm[2 * RATE :][: 2 * RATE] == SYLLABLES[RATE:]).all()
