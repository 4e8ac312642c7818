"""Which mode libopus takes for which settings, and what forward error correction gives back.

docs/performance.md has what each of them costs.
"""

import numpy as np
import pytest

from tests.measure import music
from voicekit._rtp import opus_duration
from voicekit.media import open_source
from voicekit.opus import Decoder, Encoder
from voicekit.opus_packet import opus_has_fec, opus_mode

from ..media.files import wav

FRAME = 960


def encode(encoder: Encoder, pcm: np.ndarray, samples: int = FRAME) -> list[bytes]:
    ends = range(samples, len(pcm) + 1, samples)
    return [encoder.encode(np.ascontiguousarray(pcm[at - samples : at])) for at in ends]


def voice(seconds: float) -> np.ndarray:
    """A buzz of 120 Hz through two formants that come and go: libopus takes it for speech."""
    t = np.arange(round(seconds * 48_000)) / 48_000
    pitch = 2 * np.pi * np.cumsum(120 + 15 * np.sin(2 * np.pi * 0.7 * t)) / 48_000
    formants = ((500, 1.0), (1500, 0.5), (2500, 0.25))
    weights = [
        sum(gain / (1 + ((120 * k - centre) / 150) ** 2) for centre, gain in formants)
        for k in range(1, 30)
    ]
    buzz = sum(weight * np.sin(k * pitch) for k, weight in enumerate(weights, 1))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * t)
    mono = np.int16(buzz * syllables / np.abs(buzz).max() * 12_000)
    return np.repeat(mono[:, None], 2, axis=1)


@pytest.mark.parametrize("bitrate", [48_000, 64_000, 96_000, 128_000, 384_000])
def test_music_stays_in_celt_at_every_bitrate_for_music(bitrate: int) -> None:
    encoder = Encoder()
    encoder.bitrate = bitrate
    assert {opus_mode(packet) for packet in encode(encoder, music(2))} == {"celt"}


def test_a_played_file_is_encoded_in_celt() -> None:
    source = open_source(wav(music(1)))
    packets = list(iter(source.read, None))
    source.close()
    assert len(packets) == 50
    assert {opus_mode(packet) for packet in packets} == {"celt"}


def test_expecting_loss_alone_changes_no_mode() -> None:
    encoder = Encoder()
    encoder.packet_loss_perc = 15
    assert {opus_mode(packet) for packet in encode(encoder, music(2))} == {"celt"}


def test_forward_error_correction_takes_music_out_of_celt() -> None:
    encoder = Encoder()
    encoder.bitrate = 128_000
    encoder.inband_fec, encoder.packet_loss_perc = 1, 15
    assert {opus_mode(packet) for packet in encode(encoder, music(2))} == {"hybrid"}


def test_forward_error_correction_for_voice_only_leaves_music_in_celt() -> None:
    encoder = Encoder()
    encoder.inband_fec, encoder.packet_loss_perc = 2, 15
    encoder.signal = "music"
    assert {opus_mode(packet) for packet in encode(encoder, music(2))} == {"celt"}


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
@pytest.mark.parametrize("channels", [1, 2])
def test_forward_error_correction_on_request_repeats_the_frame_before(
    milliseconds: int, channels: int
) -> None:
    encoder = Encoder(48_000, channels, "voip")
    encoder.bitrate = 32_000
    encoder.inband_fec, encoder.packet_loss_perc = 1, 15
    packets = encode(encoder, voice(2)[:, :channels], 48 * milliseconds)
    repeating = [opus_has_fec(packet) for packet in packets]
    assert not repeating[0]  # nothing is before it
    assert sum(repeating) > len(repeating) / 2  # the soft end of a syllable is not repeated
    encoder.reset()
    encoder.inband_fec = 0
    assert not any(map(opus_has_fec, encode(encoder, voice(2)[:, :channels])))


def test_what_is_repeated_is_closer_than_what_is_made_up() -> None:
    encoder = Encoder(application="voip")
    encoder.bitrate = 32_000
    encoder.inband_fec, encoder.packet_loss_perc = 1, 20
    packets = encode(encoder, voice(2))
    gone = [n for n in range(10, len(packets) - 1, 7) if opus_has_fec(packets[n + 1])]
    assert len(gone) > 5
    whole = Decoder()
    reference = [whole.decode(packet) for packet in packets]
    repeated, made_up = Decoder(), Decoder()
    errors = {"repeated": 0.0, "made up": 0.0}
    for n, packet in enumerate(packets):
        lost = n in gone
        heard = {
            "repeated": repeated.decode(packets[n + 1], fec=True)
            if lost
            else repeated.decode(packet),
            "made up": made_up.decode(None if lost else packet),
        }
        if lost:
            want = np.frombuffer(reference[n], np.int16).astype(float)
            for name, pcm in heard.items():
                errors[name] += float(np.square(np.frombuffer(pcm, np.int16) - want).sum())
    assert errors["repeated"] < errors["made up"] / 2


def test_the_first_frame_is_found_behind_every_form_of_header() -> None:
    """RFC 6716 section 3.2: one frame, two, two of unlike size, and a count, padded."""
    toc = 0x48  # SILK, wideband, 20 ms, mono
    lbrr = b"\x40"  # no voice activity, LBRR
    plain = b"\x80"
    forms = {
        "one": (bytes([toc]), b"..."),
        "two": (bytes([toc | 1]), b"......."),
        "two, short length": (bytes([toc | 2, 3]), b"......"),
        "two, long length": (bytes([toc | 2, 252, 1]), bytes(300)),
        "count": (bytes([toc | 3, 0x02]), b"......."),
        "count, padded": (bytes([toc | 3, 0x42, 255, 1]), bytes(300)),
        "count, variable": (bytes([toc | 3, 0x83, 2, 2]), b"........"),
    }
    for name, (head, rest) in forms.items():
        assert opus_duration(head + lbrr + rest), name
        assert opus_has_fec(head + lbrr + rest), name
        assert not opus_has_fec(head + plain + rest), name
        for size in range(len(head) + 1):
            assert not opus_has_fec((head + lbrr)[:size]), name


def test_celt_and_damaged_packets_repeat_nothing() -> None:
    assert not opus_has_fec(b"\xfc\xff\xff")
    assert not opus_has_fec(b"")
    assert not opus_has_fec(b"\xff\xff")
    for damaged in (b"", b"\xff\xff"):
        with pytest.raises(ValueError, match="no Opus packet"):
            opus_mode(damaged)
