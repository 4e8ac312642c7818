"""Pushed and provided audio: any chunk size, bounded, with a lead-in, and its end."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.measure import find_lag, measure, music
from tests.media.frames import decoded, encoded
from voicekit._rtp import opus_duration
from voicekit.errors import LocalProtocolError, MediaError
from voicekit.media import PushSource, open_opus_provider, open_provider

PCM = music(1)
RAW = PCM.tobytes()
FRAME = 3840
SILENCE = bytes(FRAME)


def frames_of(source: PushSource, most: int = 1000) -> list[bytes]:
    frames: list[bytes] = []
    while len(frames) < most and (frame := source.read_pcm()) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize("size", [1, 3, 333, 3840, 5000, len(RAW)])
def test_samples_come_out_as_they_went_in_whatever_the_pieces(size: int) -> None:
    raw = RAW[: 20 * size + 10_001]
    source = PushSource(lead_in=0)
    for at in range(0, len(raw), size):
        assert source.push(raw[at : at + size]) == len(raw[at : at + size])
    source.end()
    whole = raw[: len(raw) // 4 * 4]
    out = b"".join(frames_of(source))
    assert out.startswith(whole)
    assert not any(out[len(whole) :])
    assert len(out) == -(-len(whole) // FRAME) * FRAME
    assert source.read_pcm() is None


def test_a_lead_in_of_silence_comes_first() -> None:
    source = PushSource(lead_in=0.2)
    source.push(RAW[: 2 * FRAME])
    source.end()
    frames = frames_of(source)
    assert frames[:10] == [SILENCE] * 10
    assert frames[10:] == [RAW[:FRAME], RAW[FRAME : 2 * FRAME]]


def test_silence_while_waiting_counts_as_lead_in() -> None:
    source = PushSource(lead_in=0.1)
    assert frames_of(source, 12) == [SILENCE] * 12
    assert source.silent_frames == 12
    source.push(RAW[:FRAME])
    assert source.read_pcm() == RAW[:FRAME]


def test_silence_fills_gaps_and_no_frame_is_broken() -> None:
    source = PushSource(lead_in=0)
    source.push(RAW[: FRAME + 100])
    assert source.read_pcm() == RAW[:FRAME]
    assert source.read_pcm() == SILENCE, "100 bytes are no frame, and more may come"
    assert source.silent_frames == 1
    source.push(RAW[FRAME + 100 : 2 * FRAME])
    assert source.read_pcm() == RAW[FRAME : 2 * FRAME]


def test_it_is_bounded() -> None:
    source = PushSource(capacity=0.1, lead_in=0)
    assert source.room == 5 * FRAME
    assert source.push(RAW) == 5 * FRAME
    assert (source.room, source.buffered) == (0, pytest.approx(0.1))
    assert source.push(b"\0") == 0
    source.read_pcm()
    assert source.room == FRAME
    assert source.push(RAW[5 * FRAME :]) == FRAME
    source.end()
    assert b"".join(frames_of(source)) == RAW[FRAME : 6 * FRAME]


def test_a_thread_that_is_too_fast_waits_for_room() -> None:
    source = PushSource(capacity=0.06, lead_in=0)

    def produce() -> None:
        for at in range(0, len(RAW), 1000):
            piece = RAW[at : at + 1000]
            assert source.wait_for_room(len(piece), 30)
            assert source.push(piece) == len(piece)
        source.end()

    thread = threading.Thread(target=produce)
    thread.start()
    frames: list[bytes] = []
    while (frame := source.read_pcm()) is not None:
        assert source.buffered <= 0.06
        if frame != SILENCE:
            frames.append(frame)
    thread.join(30)
    assert b"".join(frames) == RAW


def test_waiting_for_room_ends_with_the_source() -> None:
    source = PushSource(capacity=0.02, lead_in=0)
    source.push(RAW)
    assert not source.wait_for_room(1, 0)
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(source.wait_for_room(1, 30)))
    thread.start()
    source.close()
    thread.join(30)
    assert results == [False]


@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (16_000, 1), (44_100, 2), (48_000, 1)])
def test_other_rates_and_mono_are_converted(rate: int, channels: int) -> None:
    t = np.arange(rate) / rate
    sweep = np.sin(2 * np.pi * (300 * t + 900 * t**2)) * 12_000
    raw = np.repeat(sweep[:, None], channels, axis=1).astype(np.int16).tobytes()
    source = PushSource(sample_rate=rate, channels=channels, lead_in=0)
    for at in range(0, len(raw), 777):
        assert source.push(raw[at : at + 777]) == len(raw[at : at + 777])
    source.end()
    out = np.frombuffer(b"".join(frames_of(source)), np.int16).reshape(-1, 2)
    t48 = np.arange(48_000) / 48_000
    wanted = np.sin(2 * np.pi * (300 * t48 + 900 * t48**2)) * 12_000
    assert len(out) == pytest.approx(48_000, abs=960)
    pair = np.int16(np.repeat(wanted[:, None], 2, axis=1))
    assert abs(find_lag(pair / 32768, out / 32768)) <= 1
    assert measure(pair[:47_000], out[:47_000]).snr > 30


def test_what_waits_can_be_dropped() -> None:
    source = PushSource(lead_in=0)
    source.push(RAW[: 10 * FRAME])
    source.read_pcm()
    assert source.clear() == pytest.approx(0.18)
    assert source.read_pcm() == SILENCE
    source.push(RAW[:FRAME])
    assert source.read_pcm() == RAW[:FRAME]


def test_nothing_can_be_pushed_after_the_end() -> None:
    source = PushSource(lead_in=0)
    source.push(RAW[:FRAME])
    assert not source.ended
    source.end()
    source.end()
    assert source.ended
    with pytest.raises(LocalProtocolError, match="after the end"):
        source.push(RAW)
    assert source.read_pcm() == RAW[:FRAME]
    assert source.read_pcm() is None


def test_an_end_without_audio_is_an_end_at_once() -> None:
    source = PushSource()
    source.end()
    assert source.read() is None


def test_closing_drops_everything() -> None:
    source = PushSource()
    source.push(RAW)
    source.close()
    source.close()
    assert source.read() is None
    assert source.buffered == 0


def test_it_is_encoded_and_its_volume_is_live() -> None:
    source = PushSource(lead_in=0, volume=0.5)
    source.push(RAW)
    source.end()
    packets = list(iter(source.read, None))
    assert {opus_duration(packet) for packet in packets} == {960}
    assert measure(PCM // 2, decoded(packets)).faithful
    assert source.live
    assert not source.blocking


@pytest.mark.parametrize(
    "settings",
    [{"capacity": 0}, {"lead_in": -1}, {"sample_rate": 10}, {"channels": 3}, {"volume": -1}],
    ids=str,
)
def test_wrong_settings_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        PushSource(**settings)


# -- providers -----------------------------------------------------------------


@pytest.mark.parametrize("size", [FRAME, 1000, 3 * FRAME])
def test_samples_are_asked_for_as_they_are_needed(size: int) -> None:
    pieces = iter([RAW[at : at + size] for at in range(0, 10 * FRAME + 100, size)])
    asked = 0

    def provide() -> bytes | None:
        nonlocal asked
        asked += 1
        return next(pieces, None)

    source = open_provider(provide)
    assert asked == 0
    first = source.read_pcm() or b""
    assert first == RAW[:FRAME]
    assert asked == -(-FRAME // size), "no more than is needed"
    rest = list(iter(source.read_pcm, None))
    whole = b"".join([first, *rest])
    given = -(-(10 * FRAME + 100) // size) * size
    assert whole[:given] == RAW[:given]
    assert not any(whole[given:])
    before = asked
    assert source.read_pcm() is None
    assert asked == before, "the end stays the end"


def test_a_provider_is_encoded() -> None:
    pieces = iter([RAW[at : at + FRAME] for at in range(0, len(RAW), FRAME)])
    packets = list(iter(open_provider(lambda: next(pieces, None)).read, None))
    assert len(packets) == 50
    assert measure(PCM, decoded(packets)).faithful


def test_opus_packets_are_asked_for_one_by_one_and_pass() -> None:
    packets = encoded(PCM)
    waiting = iter(packets)
    given = 0

    def provide() -> bytes | None:
        nonlocal given
        given += 1
        return next(waiting, None)

    source = open_opus_provider(provide)
    assert source.passthrough
    assert given == 0
    assert source.read() == packets[0]
    assert given == 1
    assert list(iter(source.read, None)) == packets[1:]
    assert source.read() is None
    assert given == len(packets) + 1


def test_the_volume_of_provided_opus_is_live() -> None:
    packets = encoded(PCM)
    waiting = iter(packets)
    source = open_opus_provider(lambda: next(waiting, None))
    assert [source.read() for _ in range(5)] == packets[:5]
    source.volume = 0.5
    rest = list(iter(source.read, None))
    assert len(rest) == 45
    assert np.std(decoded(rest)[4800:]) == pytest.approx(np.std(PCM[4800 + 4800 :]) / 2, rel=0.1)


@pytest.mark.parametrize("opener", [open_provider, open_opus_provider])
def test_what_a_provider_raises_comes_out(opener: type) -> None:
    def provide() -> bytes:
        raise KeyError("no such song")

    with pytest.raises(KeyError, match="no such song"):
        opener(provide).read()


@pytest.mark.parametrize("opener", [open_provider, open_opus_provider])
def test_closing_tells_the_provider_once(opener: type) -> None:
    closed: list[int] = []
    source = opener(lambda: encoded(PCM)[0], close=lambda: closed.append(1))
    source.read()
    source.close()
    source.close()
    assert closed == [1]
    assert source.read() is None


def test_providers_may_say_that_they_can_be_asked_early() -> None:
    nothing: Iterator[bytes] = iter(())
    assert open_provider(lambda: next(nothing, None)).live
    assert not open_provider(lambda: next(nothing, None), live=False).live
    assert not open_opus_provider(lambda: next(nothing, None), live=False).live


def test_a_provider_can_not_be_sought() -> None:
    source = open_opus_provider(lambda: None)
    with pytest.raises(MediaError, match="can not be sought"):
        source.seek(1)  # type: ignore[attr-defined]
