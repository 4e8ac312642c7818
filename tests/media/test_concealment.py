"""Holes in speech and music: recovered from the packet behind them, or made up, or silent."""

import random

import numpy as np
import pytest

from tests.jitter.frames import FRAME, play
from tests.measure import music
from tests.opus.test_opus_modes import encode, voice
from voicekit import AudioFrame, JitterBuffer, Lost
from voicekit.media.concealment import LONGEST_MADE_UP, Concealer
from voicekit.opus import Decoder, Encoder
from voicekit.opus_packet import opus_has_fec

STEREO = 4  # bytes of a sample


def frames(packets: list[bytes], lost: set[int] = frozenset()) -> list[AudioFrame]:  # type: ignore[assignment]
    return [
        AudioFrame(1, 1, packet, n, n * FRAME, FRAME, arrived=n * 0.02)
        for n, packet in enumerate(packets)
        if n not in lost
    ]


def hear(concealer: Concealer, packets: list[bytes], lost: set[int]) -> bytes:
    """Play through a jitter buffer, as a consumer does."""
    buffer, pcm = JitterBuffer(), b""
    for arriving in frames(packets, lost):
        while (due := buffer.next_timeout()) is not None and due <= arriving.arrived:
            item = buffer.pop(due)
            if item is not None:
                pcm += concealer.decode(item, buffer.peek())
        buffer.push(arriving)
    while (due := buffer.next_timeout()) is not None:
        item = buffer.pop(due)
        if item is not None:
            pcm += concealer.decode(item, buffer.peek())
    return pcm


def speech(*, fec: bool = False) -> list[bytes]:
    encoder = Encoder(application="voip")
    encoder.bitrate = 32_000
    if fec:
        encoder.inband_fec, encoder.packet_loss_perc = 1, 10
    return encode(encoder, voice(6))


def losses(count: int, share: float) -> set[int]:
    random_ = random.Random(5)
    return {n for n in range(3, count - 3) if random_.random() < share}


def distance(one: bytes, other: bytes) -> float:
    """Log-spectral distance in dB, the mean over frames of 20 ms."""
    spectra = []
    for pcm in (one, other):
        mono = np.frombuffer(pcm, np.int16).reshape(-1, 2).mean(axis=1)
        windows = mono[: len(mono) // FRAME * FRAME].reshape(-1, FRAME) * np.hanning(FRAME)
        spectra.append(20 * np.log10(np.abs(np.fft.rfft(windows)) + 30))
    return float(np.sqrt(np.square(spectra[0] - spectra[1]).mean(axis=1)).mean())


def test_without_loss_it_is_the_decoder() -> None:
    packets = speech()
    decoder, concealer = Decoder(), Concealer()
    assert hear(concealer, packets, set()) == b"".join(map(decoder.decode, packets))
    assert (concealer.recovered, concealer.made_up, concealer.muted) == (0, 0, 0)


@pytest.mark.parametrize("fec", [False, True])
@pytest.mark.parametrize("what", ["speech", "music"])
def test_what_comes_out_is_as_long_as_what_went_in(what: str, fec: bool) -> None:
    packets = speech(fec=fec) if what == "speech" else encode(Encoder(), music(4))
    lost = losses(len(packets), 0.1)
    concealer = Concealer()
    assert len(hear(concealer, packets, lost)) == len(packets) * FRAME * STEREO
    filled = concealer.recovered + concealer.made_up + concealer.muted
    assert filled == len(lost) * FRAME


def test_speech_with_loss_is_a_fifth_closer_than_with_silence_in_the_holes() -> None:
    packets = speech()
    lost = losses(len(packets), 0.05)
    whole = hear(Concealer(), packets, set())
    concealed = hear(Concealer(), packets, lost)
    decoder = Decoder()
    silent = b"".join(
        bytes(FRAME * STEREO) if n in lost else decoder.decode(packet)
        for n, packet in enumerate(packets)
    )
    assert distance(whole, concealed) < 0.8 * distance(whole, silent)


def test_error_correction_comes_closer_still() -> None:
    packets = speech(fec=True)
    lost = {n for n in losses(len(packets), 0.1) if opus_has_fec(packets[n + 1])}
    lost = {n for n in lost if n + 1 not in lost}
    assert len(lost) > 10
    whole = hear(Concealer(), packets, set())
    recovering = Concealer()
    recovered = hear(recovering, packets, lost)
    assert recovering.recovered == len(lost) * FRAME
    guessing = Concealer()
    guessed = b"".join(
        guessing.conceal(FRAME)
        if n in lost
        else guessing.decode(AudioFrame(1, 1, packet, n, n * FRAME))
        for n, packet in enumerate(packets)
    )
    assert distance(whole, recovered) < 0.9 * distance(whole, guessed)


def test_of_a_longer_hole_the_last_packet_is_recovered() -> None:
    packets = speech(fec=True)
    last = next(n for n in range(60, 200) if opus_has_fec(packets[n + 1]))
    concealer = Concealer()
    for n in range(last - 2):
        concealer.decode(AudioFrame(1, 1, packets[n], n, n * FRAME))
    hole = Lost(3, last - 2, (last - 2) * FRAME, 3 * FRAME, 3 * FRAME)
    behind = AudioFrame(1, 1, packets[last + 1], last + 1, (last + 1) * FRAME)
    assert len(concealer.decode(hole, behind)) == 3 * FRAME * STEREO
    assert (concealer.recovered, concealer.made_up) == (FRAME, 2 * FRAME)


def test_a_frame_further_on_repeats_nothing_of_the_hole() -> None:
    packets = speech(fec=True)
    n = next(n for n in range(60, 200) if opus_has_fec(packets[n + 1]))
    concealer = Concealer()
    concealer.decode(Lost(1, n - 1, 0, FRAME, FRAME), AudioFrame(1, 1, packets[n + 1], n + 1, 0))
    assert (concealer.recovered, concealer.made_up) == (0, FRAME)


def test_what_has_passed_is_not_made_up_again() -> None:
    concealer = Concealer()
    assert concealer.decode(Lost(2, 0, 0, 2 * FRAME, 0)) == b""
    assert len(concealer.decode(Lost(2, 0, 0, 2 * FRAME, 1001))) == 1001 * STEREO
    assert concealer.made_up == 1001


def test_a_long_hole_ends_in_silence() -> None:
    packets = encode(Encoder(), music(1))
    concealer = Concealer()
    for n, packet in enumerate(packets):
        concealer.decode(AudioFrame(1, 1, packet, n, n * FRAME))
    pcm = concealer.conceal(10 * LONGEST_MADE_UP)
    assert len(pcm) == 10 * LONGEST_MADE_UP * STEREO
    assert any(pcm[: LONGEST_MADE_UP * STEREO])
    assert not any(pcm[LONGEST_MADE_UP * STEREO :])
    end = np.abs(np.frombuffer(pcm, np.int16)[: LONGEST_MADE_UP * 2])[-40:]
    assert end.max() < 200  # no click
    assert concealer.muted == 9 * LONGEST_MADE_UP
    concealer.decode(AudioFrame(1, 1, packets[0], 0, 0))
    assert any(concealer.conceal(FRAME))  # another hole


@pytest.mark.parametrize("opus", [b"\xff\xff\xff", b"\xfb\x05\x00", b""])
def test_a_damaged_frame_is_concealed(opus: bytes) -> None:
    packets = encode(Encoder(), music(1))
    concealer = Concealer()
    for n, packet in enumerate(packets):
        concealer.decode(AudioFrame(1, 1, packet, n, n * FRAME))
    pcm = concealer.decode(AudioFrame(1, 1, opus, 50, 50 * FRAME))
    assert len(pcm) % (120 * STEREO) == 0
    assert len(concealer.decode(AudioFrame(1, 1, packets[0], 51, 51 * FRAME))) == FRAME * STEREO


def test_mono_is_half_as_much() -> None:
    concealer = Concealer(channels=1)
    assert len(concealer.conceal(FRAME)) == FRAME * 2


def test_it_takes_what_a_buffer_hands_out() -> None:
    packets = encode(Encoder(), music(1))
    out = play(JitterBuffer(), frames(packets, {10, 11}))
    concealer = Concealer()
    assert sum(len(concealer.decode(item)) for _, item in out) == len(packets) * FRAME * STEREO
