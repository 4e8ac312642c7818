"""Signals through player, server and recorder: pitch, level, and where they lie.

On a virtual clock: two clients send at the same instants, a third records.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.measure import find_lag
from tests.media.frames import encoded
from tests.media.recording.calls import RATE, audio_of
from tests.media.recording.sinks import Places, numbered
from voicekit.events import RtcpReceived
from voicekit.link import Link
from voicekit.media import Recorder, Track
from voicekit.server import ServerConfig
from voicekit.testing import Pair

SECONDS = 12


def chirp(seconds: float = SECONDS) -> npt.NDArray[np.int16]:
    """From 200 Hz to 3 kHz and back, every second: no part looks like another nearby."""
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = 2 * np.pi * np.cumsum(1600 - 1400 * np.cos(2 * np.pi * t * (1 + t / 50))) / RATE
    return np.repeat((8000 * np.sin(pitch)).astype(np.int16)[:, None], 2, axis=1)


CHIRP = encoded(chirp())


def call(
    packets: list[list[bytes]],
    *,
    downlink: Callable[[int], Link] = lambda number: Link(),
    reports: bool = False,
    server_config: ServerConfig | None = None,
    **settings: Any,
) -> tuple[list[Track], Recorder]:
    """Record what several clients send at once."""
    pair = Pair(clients=len(packets) + 1, downlink=downlink, server_config=server_config)
    pair.connect()
    *players, ears = pair.clients
    for player, song in zip(players, packets, strict=True):
        pair.play(player, song)
    recorder = Recorder(None, **settings)
    recorder.start(pair.now)
    while pair.now < len(packets[0]) * 0.02 + 1:
        pair.drive(0.1)
        if reports:
            for event in ears.events:
                if isinstance(event, RtcpReceived):
                    recorder.receive_rtcp(event.packets, event.arrived)
        ears.events.clear()
        for frame in ears.frames:
            recorder.write(frame)
        ears.frames.clear()
        recorder.handle_timeout(pair.now)
    return recorder.close(), recorder


def lag_of(recorder: Recorder, part: slice = slice(None)) -> float:
    """Seconds between the first two tracks."""
    files = [file for user, file in recorder.recordings.items() if user is not None][:2]
    one, other = (audio_of(io.BytesIO(file.getvalue()))[part] for file in files)  # type: ignore[union-attr]
    length = min(len(one), len(other))
    return find_lag(one[:length] / 32768, other[:length] / 32768) / RATE


@pytest.mark.parametrize("file_format", ["ogg", "wav", "flac"])
def test_on_loopback_tracks_lie_within_a_millisecond(file_format: str) -> None:
    tracks, recorder = call([CHIRP, CHIRP], file_format=file_format, sync_start=True)
    assert [track.lost for track in tracks] == [0, 0]
    assert abs(lag_of(recorder)) <= 0.001


@pytest.mark.parametrize("seed", range(3))
def test_at_60_ms_of_jitter_they_lie_within_20_ms(seed: int) -> None:
    def link(number: int) -> Link:
        return Link(jitter=0.06, seed=seed)

    _, recorder = call([CHIRP, CHIRP], downlink=link, file_format="ogg", sync_start=True)
    assert abs(lag_of(recorder)) <= 0.020


def test_the_pitch_and_the_level_are_those_that_were_played() -> None:
    t = np.arange(5 * RATE) / RATE
    tones = {997: 0.1, 2_503: 0.5}
    songs = [
        np.repeat((32_767 * level * np.sin(2 * np.pi * pitch * t)).astype(np.int16)[:, None], 2, 1)
        for pitch, level in tones.items()
    ]
    _, recorder = call([encoded(song) for song in songs], file_format="pcm", mix=True)
    mix = recorder.recordings[None]
    files = [file for user, file in recorder.recordings.items() if user is not None]
    for (pitch, level), file in zip(tones.items(), files, strict=True):
        for heard in (file, mix):
            out = np.frombuffer(heard.getvalue(), "<i2").reshape(-1, 2)[RATE : 4 * RATE, 0]  # type: ignore[union-attr]
            spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out)))) / len(out) * 4 / 32_767
            near = slice(round((pitch - 30) * 3), round((pitch + 30) * 3))
            peak = near.start + int(spectrum[near].argmax())
            assert peak / 3 == pytest.approx(pitch, abs=0.5)
            assert 20 * np.log10(spectrum[peak] / level) == pytest.approx(0, abs=0.5)


def test_nothing_is_missing_between_frames() -> None:
    """A gap or a frame too many would break the phase of a tone."""
    t = np.arange(5 * RATE) / RATE
    tone = (8_000 * np.sin(2 * np.pi * 1_000 * t)).astype(np.int16)
    _, recorder = call([encoded(np.repeat(tone[:, None], 2, 1))], file_format="pcm")
    (file,) = recorder.recordings.values()
    assert isinstance(file, io.BytesIO)
    out = np.frombuffer(file.getvalue(), "<i2").reshape(-1, 2)[:, 0].astype(float)
    phases = []
    for at in range(RATE // 2, 4 * RATE, 480):
        piece = out[at : at + 480] * np.exp(-2j * np.pi * 1_000 * np.arange(at, at + 480) / RATE)
        phases.append(np.angle(piece.sum()))
    steps = np.abs(np.diff(np.unwrap(phases)))
    assert steps.max() < 0.05  # one sample is 0.13


def test_with_sender_reports_jitter_does_not_part_them() -> None:
    """60 ms of jitter, and a report of each stream every second: the end lies within 1 ms."""

    def link(number: int) -> Link:
        return Link(jitter=0.06, seed=number)

    config = ServerConfig(rtcp=True, rtcp_interval=1.0)
    lags = {}
    for reports in (False, True):
        _, recorder = call(
            [CHIRP, CHIRP],
            downlink=link,
            server_config=config,
            reports=reports,
            file_format="wav",
            sync_start=True,
        )
        lags[reports] = abs(lag_of(recorder, slice(8 * RATE, 12 * RATE)))
    assert lags[True] <= 0.001
    assert lags[False] <= 0.020


@pytest.mark.parametrize("pause", [0.2031, 1.0077, 5.5191])
def test_after_pauses_of_any_length_they_still_lie_within_a_millisecond(pause: float) -> None:
    """Our senders count whole frames through a pause, each from where it began itself."""
    sinks: dict[int, Places] = {}
    pair = Pair(clients=3)
    pair.connect()
    *speakers, ears = pair.clients
    recorder = Recorder(None, lambda user: sinks.setdefault(user, Places()))
    recorder.start(pair.now)
    packets = numbered(40)
    pair.play(speakers[0], packets[:20])
    pair.drive(0.0127)
    pair.play(speakers[1], packets[:20])
    pair.drive(0.4 + pause)
    for speaker in speakers:
        pair.play(speaker, packets[20:])  # at the same instant
    pair.drive(1.0)
    for frame in ears.frames:
        recorder.write(frame)
    first, second = recorder.close()
    places = [
        [track.start + place / RATE for place, _ in sinks[track.user_id or 0].places]
        for track in (first, second)
    ]
    assert places[1][0] - places[0][0] == pytest.approx(0.0127, abs=0.001)
    assert places[1][20:] == pytest.approx(places[0][20:], abs=0.001)
