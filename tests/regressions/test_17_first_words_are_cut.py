"""The first words are cut: sutando#1095, hermes-agent PR#75078, openclaw PR#91877.

There a stream began when somebody subscribed to it, some packets into the first word. A track has
the first packet that came, and those that overtook it on the way.
"""

from pathlib import Path

from tests.media.recording.calls import speech
from voicekit.media import Recorder, read_opus_packets

PACKETS = [b"\xfc" + bytes([n]) * 40 for n in range(60)]


def test_the_track_begins_with_the_first_packet(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    frames = list(speech(PACKETS))
    frames[0:3] = [frames[2], frames[0], frames[1]]  # the first one was overtaken
    for frame in frames:
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.path is not None
    assert read_opus_packets(track.path) == PACKETS
    assert (track.lost, track.late) == (0, 0)
