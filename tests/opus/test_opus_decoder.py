"""The decoder: packets, lost packets, and packets that are none."""

import array
from typing import Any

import opuslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.opus.signals import as_float, rms, tone, tones
from voicekit._rtp import opus_duration
from voicekit.codes import SILENCE_FRAME
from voicekit.opus import Decoder, Encoder, OpusError


def packets(count: int = 10, **settings: Any) -> list[bytes]:
    encoder = Encoder()
    for name, value in settings.items():
        setattr(encoder, name, value)
    return [encoder.encode(frame) for frame in tones(count)]


def test_what_opuslib_decodes_and_what_we_decode_is_the_same() -> None:
    theirs, ours = opuslib.Decoder(48000, 2), Decoder()
    for packet in packets():
        assert ours.decode(packet) == theirs.decode(packet, 960)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_packets_come_in_any_buffer(kind: Any) -> None:
    packet = packets(1)[0]
    assert Decoder().decode(kind(packet)) == Decoder().decode(packet)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 12000, 16000, 24000, 48000])
def test_packets_are_converted_to_the_rate_and_channels_asked_for(rate: int, channels: int) -> None:
    assert len(Decoder(rate, channels).decode(packets(1)[0])) == rate // 50 * channels * 2


def test_a_mono_silence_frame_decodes_in_stereo() -> None:
    decoder = Decoder()
    assert decoder.decode(SILENCE_FRAME) == bytes(3840)


def test_decode_into_writes_what_decode_returns() -> None:
    one, other = Decoder(), Decoder()
    buffer, samples = bytearray(5760 * 4), array.array("h", bytes(3840))
    for packet in packets():
        expected = Decoder.decode(other, packet)
        assert one.decode_into(packet, buffer) == 960
        assert bytes(buffer[:3840]) == expected
    Decoder().decode_into(packets(1)[0], samples)
    assert samples.tobytes() == Decoder().decode(packets(1)[0])


def test_a_float_buffer_gets_floats() -> None:
    one, other = Decoder(), Decoder()
    buffer = array.array("f", bytes(960 * 2 * 4))
    for packet in packets():
        one.decode_into(packet, buffer)
        whole = as_float(other.decode(packet))
        assert max(abs(a - b) for a, b in zip(buffer, whole, strict=True)) < 1 / 16384


def test_a_buffer_that_is_too_small_is_refused_and_left_alone() -> None:
    decoder, buffer = Decoder(), bytearray(b"\xaa" * 3836)
    with pytest.raises(ValueError, match="960 samples per channel need 3840 bytes"):
        decoder.decode_into(packets(1)[0], buffer)
    assert set(buffer) == {0xAA}


def test_the_packet_is_not_looked_at_after_the_call() -> None:
    one, other = Decoder(), Decoder()
    for packet in packets():
        buffer = bytearray(packet)
        pcm = one.decode(buffer)
        buffer[:] = bytes(len(buffer))
        assert pcm == other.decode(packet)


@pytest.mark.parametrize("samples", [120, 240, 480, 960, 1080, 2880, 5760])
def test_a_lost_packet_is_concealed_for_as_long_as_asked(samples: int) -> None:
    decoder = Decoder()
    for packet in packets():
        decoder.decode(packet)
    concealed = decoder.decode(None, frame_size=samples)
    assert len(concealed) == samples * 4
    assert rms(concealed) > 1000, "a tone goes on, it does not stop at once"
    assert decoder.last_packet_duration == samples


def test_concealment_fades() -> None:
    decoder = Decoder()
    for packet in packets():
        decoder.decode(packet)
    loud = [rms(decoder.decode(None)) for _ in range(100)]
    assert loud[99] < loud[5] / 2 < loud[0] / 2


def test_concealment_is_20_ms_unless_told() -> None:
    assert len(Decoder().decode(None)) == 3840
    assert len(Decoder(16000, 1).decode(None)) == 640
    assert Decoder().decode_into(None, bytearray(3840)) == 960


@pytest.mark.parametrize("samples", [0, -120, 100, 121, 5880, 1 << 40])
def test_a_wrong_length_to_conceal_is_refused(samples: int) -> None:
    for fec in (False, True):
        with pytest.raises(ValueError, match="multiple of 120 up to 5760"):
            Decoder().decode(packets(1)[0] if fec else None, fec=fec, frame_size=samples)


def test_forward_error_correction_brings_back_what_concealment_can_not() -> None:
    encoder = Encoder(48000, 1, "voip")
    encoder.inband_fec = 1
    encoder.packet_loss_perc = 30
    encoder.bitrate = 32_000
    frames = [tone(at=960 * n, channels=1) for n in range(20)]
    frames[:10] = [bytes(1920)] * 10  # the tone begins with the packet that is lost
    sent = [encoder.encode(frame) for frame in frames]
    heard: list[float] = []
    for fec in (False, True):
        decoder = Decoder(48000, 1)
        for packet in sent[:10]:
            decoder.decode(packet)
        heard.append(rms(decoder.decode(sent[11] if fec else None, fec=fec)))
        decoder.decode(sent[11])
    assert heard[0] < 200 < 1000 < heard[1]


@pytest.mark.parametrize(
    "packet", [b"", b"\xff", b"\xff\xff\xff", b"\xfb\x00", b"\x03", b"\x02\xfc"]
)
def test_what_is_no_opus_is_refused_and_the_decoder_lives_on(packet: bytes) -> None:
    decoder, control = Decoder(), Decoder()
    for good in packets(3):
        with pytest.raises(OpusError) as raised:
            decoder.decode(packet)
        assert raised.value.code == opuslib.INVALID_PACKET
        assert decoder.decode(good) == control.decode(good)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(packet: bytes) -> None:
    decoder = Decoder()
    try:
        pcm = decoder.decode(packet)
    except OpusError:
        return
    assert len(pcm) == opus_duration(packet) * 4 > 0


@pytest.mark.parametrize("packet", ["text", 5, object()])
def test_a_packet_is_a_buffer(packet: Any) -> None:
    with pytest.raises(TypeError):
        Decoder().decode(packet)


def test_gain_and_what_it_tells() -> None:
    decoder = Decoder()
    assert decoder.bandwidth is None
    assert decoder.pitch == 0
    plain = [decoder.decode(packet) for packet in packets()][-1]
    assert decoder.bandwidth == "fullband"
    assert decoder.last_packet_duration == 960
    louder = Decoder()
    louder.gain = 256 * 6
    assert louder.gain == 256 * 6
    amplified = [louder.decode(packet) for packet in packets()][-1]
    assert rms(amplified) == pytest.approx(rms(plain) * 10 ** (6 / 20), rel=0.01)
    for wrong in (32768, -32769):
        with pytest.raises(ValueError, match="gain"):
            louder.gain = wrong


def test_reset_forgets_the_signal() -> None:
    decoder = Decoder()
    for packet in packets():
        decoder.decode(packet)
    decoder.reset()
    assert decoder.decode(packets(1)[0]) == Decoder().decode(packets(1)[0])


def test_phase_inversion_can_be_disabled() -> None:
    decoder = Decoder()
    assert decoder.phase_inversion_disabled is False
    decoder.phase_inversion_disabled = True
    assert decoder.phase_inversion_disabled is True
