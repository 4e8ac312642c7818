"""A tone that is cut into files plays on from one to the next: not a sample more or less."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tests.drivers.libraries import Listening, Network, lib, until
from tests.drivers.players import ears_and_mouth
from tests.media.files import made_by_ffmpeg, wav
from tests.media.frames import encoded
from tests.media.test_loops import ogg_of
from tests.signals.calls import RATE, Signal, phases, prompt, record_what, sine
from tests.trio.calls import SILENCE, collect
from voicekit.driver.playing import PlayingCall as Voice

HERTZ = 1_000
SECONDS = 2.0
#: Where it is cut, in samples: never between two frames.
CUTS = (round(0.7 * RATE) + 123, round(1.3 * RATE) + 777)

Samples = npt.NDArray[np.int16]


def flac(pcm: Samples) -> bytes:
    return made_by_ffmpeg(pcm, "flac", "flac")


def heard_of(*files: bytes) -> Signal:
    async def play(voice: Voice) -> None:
        for file in files:
            voice.player.queue.append(prompt(file))
        await voice.player.wait_for_stopped()

    return record_what(play).samples


@pytest.mark.parametrize("make", [wav, flac])
def test_a_tone_in_three_files_has_no_jump(make: Callable[[Samples], bytes]) -> None:
    pcm = sine(HERTZ, 0, round(SECONDS * RATE))
    parts = np.split(pcm, CUTS)
    whole, joined = heard_of(make(pcm)), heard_of(*map(make, parts))
    body = slice(4, round(SECONDS * 100) - 4)
    own, ours = (np.abs(np.diff(phases(samples, HERTZ)[body])) for samples in (whole, joined))
    assert own.max() < 0.01, "Opus's own error"
    assert ours.max() < own.max() + 0.005, "a sample is 0.13"
    assert np.abs(joined[: len(whole)] - whole).max() < 100


def test_opus_in_two_files_joins_byte_for_byte() -> None:
    """A stream that was cut between packets: no frame more, and none encoded anew."""
    packets = encoded(sine(HERTZ, 0, RATE))
    heard: list[bytes] = []

    async def use(listening: Listening, network: Network) -> None:
        async with (
            ears_and_mouth(listening, network) as (ears, mouth),
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(collect, ears.frames(), heard)
            for part in (packets[:17], packets[17:]):
                mouth.player.queue.append(prompt(ogg_of(part)))
            await mouth.player.wait_for_stopped()
            await until(lambda: heard[-5:] == SILENCE)
            nursery.cancel_scope.cancel()

    lib.in_memory(use)
    assert heard == packets + SILENCE
