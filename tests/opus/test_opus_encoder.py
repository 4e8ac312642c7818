"""The encoder: frames in, packets out, and every setting."""

import array
import contextlib
import math
import pickle
import threading
from typing import Any

import numpy as np
import opuslib
import opuslib.constants
import pytest

from tests.measure import music
from tests.opus.signals import as_float, tone, tones
from voicekit._opus import Codec
from voicekit._rtp import opus_duration
from voicekit.errors import VoicekitError
from voicekit.opus import APPLICATIONS, BANDWIDTHS, SIGNALS, Decoder, Encoder, OpusError

FRAMES_MS = (2.5, 5, 10, 20, 40, 60, 80, 100, 120)


@pytest.mark.parametrize("rate", [8000, 12000, 16000, 24000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("milliseconds", FRAMES_MS)
def test_a_packet_lasts_as_long_as_the_frame(rate: int, channels: int, milliseconds: float) -> None:
    samples = round(rate * milliseconds / 1000)
    packet = Encoder(rate, channels).encode(tone(samples, channels=channels, rate=rate))
    assert opus_duration(packet) == 48 * milliseconds
    decoded = Decoder(rate, channels).decode(packet)
    assert len(decoded) == samples * channels * 2


@pytest.mark.parametrize(
    "pcm",
    [
        tone(),
        bytearray(tone()),
        memoryview(tone()),
        array.array("h", tone()),
        np.frombuffer(tone(), np.int16),
        np.frombuffer(tone(), np.int16).reshape(960, 2),
    ],
    ids=["bytes", "bytearray", "memoryview", "array", "numpy", "numpy, two axes"],
)
def test_int16_comes_in_any_buffer(pcm: Any) -> None:
    assert Encoder().encode(pcm) == Encoder().encode(tone())


@pytest.mark.parametrize("convert", [as_float, lambda pcm: np.array(as_float(pcm), np.float32)])
def test_float_samples_give_the_packet_that_integers_give(convert: Any) -> None:
    assert Encoder().encode(convert(tone())) == Encoder().encode(tone())


def test_what_opuslib_encodes_and_what_we_encode_is_the_same() -> None:
    theirs, ours = opuslib.Encoder(48000, 2, "audio"), Encoder()
    for frame in tones(20):
        assert ours.encode(frame) == theirs.encode(frame, 960)


def test_the_buffer_is_not_looked_at_after_the_call() -> None:
    encoder, control = Encoder(), Encoder()
    buffer = bytearray(3840)
    for frame in tones(10):
        buffer[:] = frame
        packet = encoder.encode(buffer)
        buffer[:] = b"\xaa" * 3840
        assert packet == control.encode(frame)


def test_encode_into_writes_what_encode_returns() -> None:
    one, other, buffer = Encoder(), Encoder(), bytearray(1500)
    for frame in tones(5):
        size = one.encode_into(frame, buffer)
        assert bytes(buffer[:size]) == other.encode(frame)


def test_a_small_buffer_bounds_the_packet() -> None:
    encoder, buffer = Encoder(), bytearray(40)
    for frame in tones(5):
        assert 0 < encoder.encode_into(frame, buffer) <= 40
    with pytest.raises(OpusError):
        encoder.encode_into(tone(), bytearray())


@pytest.mark.parametrize("size", [0, 4, 3836, 3844, 7684, 23044, 960 * 12 * 4])
def test_a_frame_of_a_wrong_length_is_refused_by_name(size: int) -> None:
    with pytest.raises(ValueError, match=r"at 48000 Hz it is one of 120, 240, 480, 960, "):
        Encoder().encode(bytes(size))


@pytest.mark.parametrize(
    ("pcm", "error"),
    [
        (bytes(3841), ValueError),
        (bytes(3842), ValueError),
        (memoryview(bytes(3841))[1:], ValueError),
        (array.array("d", bytes(7680)), TypeError),
        (np.zeros((960, 4), np.int16)[:, ::2], (ValueError, BufferError)),
        (np.zeros(1920, ">i2"), TypeError),
        ("x" * 3840, TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_pcm_is_refused(pcm: Any, error: Any) -> None:
    with pytest.raises(error):
        Encoder().encode(pcm)


def test_encode_into_needs_a_buffer_to_write_to() -> None:
    with pytest.raises(BufferError):
        Encoder().encode_into(tone(), bytes(1500))


@pytest.mark.parametrize("wrong", [{"sample_rate": 44100}, {"channels": 3}, {"application": "m"}])
def test_a_wrong_format_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Encoder(**wrong)


def test_the_shared_base_can_not_be_used_alone() -> None:
    with pytest.raises(TypeError):
        Codec()
    with pytest.raises(TypeError):
        type("Own", (Codec,), {})()


def test_a_codec_can_not_be_pickled() -> None:
    for codec in (Encoder(), Decoder()):
        with pytest.raises(TypeError):
            pickle.dumps(codec)


SETTINGS = [
    ("application", "voip", ["music", 2049, None]),
    ("bitrate", 64_000, [499, 512_001, -1, "fast"]),
    ("bandwidth", "wideband", ["wide", 1103, None]),
    ("max_bandwidth", "superwideband", ["auto", "wide"]),
    ("signal", "music", ["noise", 3002]),
    ("complexity", 3, [-1, 11]),
    ("vbr", False, []),
    ("vbr_constraint", False, []),
    ("force_channels", 1, [0, 3, "mono"]),
    ("inband_fec", 1, [-1, 3]),
    ("packet_loss_perc", 15, [-1, 101]),
    ("dtx", True, []),
    ("lsb_depth", 16, [7, 25]),
    ("expert_frame_duration", 10, [3, "10"]),
    ("prediction_disabled", True, []),
    ("phase_inversion_disabled", True, []),
]


@pytest.mark.parametrize(("name", "value", "wrong"), SETTINGS, ids=[s[0] for s in SETTINGS])
def test_a_setting_reads_as_it_was_set_and_refuses_the_rest(
    name: str, value: Any, wrong: list[Any]
) -> None:
    encoder = Encoder()
    assert getattr(encoder, name) != value
    setattr(encoder, name, value)
    if name == "bandwidth":
        encoder.encode(tone())  # until then it reads as the last frame's
    assert getattr(encoder, name) == value
    for other in wrong:
        with pytest.raises(ValueError, match=name):
            setattr(encoder, name, other)
    assert getattr(encoder, name) == value


@pytest.mark.parametrize("name", ["bitrate", "complexity", "packet_loss_perc"])
@pytest.mark.parametrize("value", [6.5, math.nan, None, [1]])
def test_a_number_is_a_whole_number(name: str, value: Any) -> None:
    with pytest.raises(TypeError):
        setattr(Encoder(), name, value)


@pytest.mark.parametrize("name", ["sample_rate", "channels", "lookahead", "final_range", "in_dtx"])
def test_what_only_tells_can_not_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Encoder(), name, 1)


def test_the_fixed_facts() -> None:
    encoder = Encoder()
    assert (encoder.sample_rate, encoder.channels, encoder.lookahead) == (48000, 2, 312)
    assert (encoder.application, encoder.signal, encoder.force_channels) == (
        "audio",
        "auto",
        "auto",
    )
    assert Encoder(application="restricted_lowdelay").lookahead == 120


def test_automatic_and_maximal_bitrate_read_as_numbers() -> None:
    encoder = Encoder()
    automatic = encoder.bitrate
    encoder.bitrate = "max"
    assert encoder.bitrate > 500_000
    encoder.bitrate = "auto"
    assert encoder.bitrate == automatic > 64_000


def test_the_bitrate_is_kept() -> None:
    for rate in (32_000, 128_000):
        encoder = Encoder()
        encoder.bitrate = rate
        encoder.vbr = False
        assert {len(encoder.encode(frame)) for frame in tones(10)} == {rate // 400}


@pytest.mark.parametrize("milliseconds", FRAMES_MS)
@pytest.mark.parametrize("vbr", [False, True])
def test_no_packet_is_padded_beyond_what_its_frames_can_hold(
    milliseconds: float, vbr: bool
) -> None:
    encoder = Encoder()
    encoder.bitrate = "max"
    encoder.vbr = vbr
    packet = encoder.encode(tone(round(48 * milliseconds)))
    frames = math.ceil(milliseconds / 20)
    assert len(packet) <= (1276 if frames == 1 else frames * 1278)


def test_a_mono_encoder_can_not_be_forced_to_stereo() -> None:
    with pytest.raises(ValueError, match="one channel"):
        Encoder(channels=1).force_channels = 2


def test_the_application_is_settled_by_the_first_frame() -> None:
    encoder = Encoder()
    encoder.encode(tone())
    with pytest.raises(OpusError, match="application: invalid argument") as raised:
        encoder.application = "voip"
    assert raised.value.code == opuslib.BAD_ARG
    encoder.reset()
    encoder.application = "voip"


def test_silence_is_cheap_under_dtx() -> None:
    encoder = Encoder(application="voip")
    encoder.dtx = True
    sizes = [len(encoder.encode(bytes(3840))) for _ in range(50)]
    assert min(sizes) <= 2
    assert encoder.in_dtx


def test_reset_starts_afresh_and_keeps_the_settings() -> None:
    encoder = Encoder()
    encoder.bitrate = 40_000
    first = [encoder.encode(frame) for frame in tones(5)]
    encoder.reset()
    assert [encoder.encode(frame) for frame in tones(5)] == first
    assert encoder.bitrate == 40_000


def test_final_ranges_agree() -> None:
    encoder, decoder = Encoder(), Decoder()
    for frame in tones(5):
        decoder.decode(encoder.encode(frame))
        assert encoder.final_range == decoder.final_range != 0


def test_with_default_settings_music_stays_in_the_celt_mode() -> None:
    """Configurations 16 to 31 of the TOC byte are CELT (RFC 6716 section 3.1)."""
    pcm = np.ascontiguousarray(music(2))
    for application in APPLICATIONS:
        encoder = Encoder(application=application)
        packets = [encoder.encode(pcm[at : at + 960]) for at in range(0, len(pcm), 960)]
        assert {packet[0] >> 3 for packet in packets} <= set(range(16, 32)), application


def test_the_numbers_are_those_of_opuslib() -> None:
    constants = opuslib.constants
    assert APPLICATIONS == constants.APPLICATION_TYPES_MAP
    for name, number in BANDWIDTHS.items():
        assert number == getattr(constants, f"BANDWIDTH_{name.upper()}")
    assert SIGNALS == {
        "auto": constants.AUTO,
        "voice": constants.SIGNAL_VOICE,
        "music": constants.SIGNAL_MUSIC,
    }


def test_an_error_is_opuslibs_and_ours_and_says_what_to_do() -> None:
    with pytest.raises(opuslib.OpusError) as raised:
        Decoder().decode(b"\xff\xff\xff")
    error = raised.value
    assert isinstance(error, VoicekitError)
    assert error.code == opuslib.INVALID_PACKET
    assert str(error).startswith("decode: corrupted stream (-4): these bytes are no Opus packet")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.code, str(copy)) == (OpusError, error.code, str(error))


def test_a_setting_that_a_libopus_lacks_says_so() -> None:
    error = OpusError(opuslib.UNIMPLEMENTED, "dred_duration")
    assert str(error).startswith("dred_duration: request not implemented (-5): this libopus does")
    with contextlib.suppress(OpusError):  # it depends on how libopus was built
        Encoder().dred_duration = 10


def test_an_encoder_moves_between_threads() -> None:
    encoder, control = Encoder(), Encoder()
    packets: list[bytes] = []
    for frame in tones(4):
        thread = threading.Thread(target=lambda f=frame: packets.append(encoder.encode(f)))
        thread.start()
        thread.join()
    assert packets == [control.encode(frame) for frame in tones(4)]
