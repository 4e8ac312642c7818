"""A recording of six hours, in seconds: what is said at once lies at once, to the end."""

import gc
from pathlib import Path

import pytest

from tests.media.recording.sinks import Places, numbered
from voicekit._frame import AudioFrame
from voicekit.link import Link
from voicekit.media import Recorder, read_manifest, read_opus_packets
from voicekit.testing import Pair

RATE = 48_000
HOURS = 6
#: Every ten minutes two people say something at the same time.
INTERVAL = 600.0
FRAMES = 60
SPURTS = round(HOURS * 3600 / INTERVAL)
#: Sound cards are off by as much: 2.2 s in all.
DRIFT = {0: 100e-6, 1: -60e-6}
#: The second one drops out for a moment, and comes back with another SSRC.
RESUMES_AT, REJOINS_AT = 9, 20

#: What may be added to the objects of Python: a loss, a spurt and a packet each, in the books.
SOME_OBJECTS = 3000


def test_after_six_hours_tracks_still_lie_together(tmp_path: Path) -> None:
    pair = Pair(clients=3, downlink=lambda number: Link(jitter=0.06, seed=number), seed=3)
    pair.connect()
    *speakers, ears = pair.clients
    users = {pair.info(n).user_id: n - 1 for n in (1, 2)}
    places: dict[int, Places] = {}
    recorders = [
        Recorder(None, lambda user: places.setdefault(users[user], Places())),
        Recorder(tmp_path, "ogg"),
    ]
    for recorder in recorders:
        recorder.start(pair.now)
    packets = numbered(FRAMES * SPURTS)
    objects: list[int] = []
    for spurt in range(SPURTS):
        began = pair.now
        if spurt == RESUMES_AT:
            pair.drop_websocket(speakers[1])
        if spurt == REJOINS_AT:
            pair.restart(speakers[1])
        # Senders number whole frames: away from where a rounding decides which one it is.
        pair.drive(5.0 if spurt == 0 else 5.005)
        said = packets[spurt * FRAMES : (spurt + 1) * FRAMES]
        for speaker in speakers:
            pair.play(speaker, said)
        pair.drive(FRAMES * 0.02)
        for speaker in speakers:
            pair.stop_audio(speaker)
        pair.drive(1.0)
        for frame in ears.frames:
            # Its clock is fast by so much, and stands where it stood while nothing is said.
            fast = round(began * DRIFT[users[frame.user_id]] * RATE)
            heard = AudioFrame(
                frame.user_id,
                frame.ssrc,
                frame.opus,
                sequence=frame.sequence,
                rtp_time=frame.rtp_time + fast,
                arrived=frame.arrived,
            )
            for recorder in recorders:
                recorder.write(heard)
        ears.frames.clear()
        for recorder in recorders:
            recorder.handle_timeout(pair.now)
        if spurt in (2, SPURTS - 1):
            gc.collect()
            objects.append(len(gc.get_objects()))
        pair.drive(began + INTERVAL - pair.now)
    tracks = {users[track.user_id or 0]: track for track in recorders[0].close()}
    assert [(track.lost, track.late) for track in tracks.values()] == [(0, 0), (0, 0)]
    first, second = (_said_at(places[n], tracks[n].start) for n in (0, 1))
    # Where a clock is put right in the middle of speech, half a frame goes.
    both = first.keys() & second.keys()
    assert len(both) >= len(packets) - 5
    assert max(abs(first[packet] - second[packet]) for packet in both) <= 0.020
    for n, packet in enumerate(packets):
        spoken = n // FRAMES * INTERVAL + 5.0 + n % FRAMES * 0.02
        if packet in both:
            assert first[packet] == pytest.approx(spoken, abs=0.1)
    recorders[1].close()
    manifest = read_manifest(tmp_path)
    for entry in manifest.tracks:
        assert entry.file is not None
        assert len(entry.spurts) == SPURTS
        assert set(packets) < set(read_opus_packets(tmp_path / entry.file))
        # Silence of six hours is 17 bytes a second.
        assert (tmp_path / entry.file).stat().st_size < 24 * len(packets) + 20 * HOURS * 3600 + 9000
    assert objects[1] - objects[0] < SOME_OBJECTS


def _said_at(sink: Places, start: float) -> dict[bytes, float]:
    return {packet: start + place / RATE for place, packet in sink.places if len(packet) > 3}
