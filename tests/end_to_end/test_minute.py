"""A minute of music through whole calls, packet by packet and by ear.

Two calls at once, in processes of their own: `voicekit demo`, and `voicekit play` and
`voicekit record` on a `voicekit serve` that loses every twentieth packet. To see what was
measured: ``pytest -n 0 -s``.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.cli.processes import call_flags, finish, served, start, wait_recorded
from tests.cli.tunes import tune, write_tune
from tests.measure import MIN_FRAME_SNR, MIN_SNR, measure
from voicekit.codes import SILENCE_FRAME
from voicekit.link import Link
from voicekit.media import open_source, read_opus_packets
from voicekit.media.ogg import OggOpusWriter

pytestmark = pytest.mark.slow

SECONDS = 60
FRAMES = 3000
SILENCE = [SILENCE_FRAME] * 5
#: Wall time of the calls, with room for a machine that is busy with other things.
PATIENCE = SECONDS + 60.0

PLAYER, LISTENER = 11, 12
LOSS = 5
#: With this seed the first packet and the last one are lost: what no receiver can know of.
SEED = 215
#: The server's mixes the seed with the ordinal of a session; the listener comes first.
LISTENER_SEED = SEED + 1_000_003

#: All of it but the last frame: the encoder looks 6.5 ms ahead, and the packet that would
#: hold the end of that one is the first of the silence.
SONG = tune(SECONDS)[:-960]


@dataclass
class Minute:
    """What was played, and what became of it."""

    sent: list[bytes]  # Opus packets, the silence at the end included
    demo: dict[str, Any]
    played: dict[str, Any]
    recorded: dict[str, Any]
    sessions: dict[int, dict[str, Any]]  # the lossy server's, by user

    def demo_recording(self) -> Path:
        (track,) = self.demo["tracks"]
        return Path(track["path"])

    def lossy_track(self) -> dict[str, Any]:
        (track,) = [track for track in self.recorded["tracks"] if track["user_id"] == PLAYER]
        return dict(track)


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Minute:
    directory = tmp_path_factory.mktemp("minute")
    song = write_tune(directory / "song.wav", SECONDS)
    source = open_source(song)  # what `demo` and `play` do; Opus encodes the same twice
    sent = list(iter(source.read, None))
    source.close()
    with served("--loss", LOSS, "--seed", SEED) as server:
        recorder = start(
            *("record", directory / "lossy", *call_flags(server.url, LISTENER)),
            *("--seconds", 10 * PATIENCE),  # until the signal
        )
        demo = player = None
        try:
            assert recorder.stdout is not None
            assert json.loads(recorder.stdout.readline())["event"] == "ready"
            demo = start("demo", song, "--out", directory / "demo", "--json")
            player = start("play", song, *call_flags(server.url, PLAYER))
            played = finish(player, PATIENCE)[-1]
            demonstrated = finish(demo, PATIENCE)[-1]
            # All but the first packet and the last, which are lost.
            wait_recorded(directory / "lossy", PLAYER, FRAMES + len(SILENCE) - 2)
            recorder.send_signal(2)
            out, err = recorder.communicate(timeout=PATIENCE)
            assert recorder.returncode == 130, err
        finally:
            for process in (recorder, demo, player):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.communicate()
        sessions = {session["user_id"]: session for session in server.stop()}
    return Minute(sent + SILENCE, demonstrated, played, json.loads(out.splitlines()[-1]), sessions)


def test_every_frame_of_the_demo_arrives_as_it_was_sent(minute: Minute) -> None:
    demo = minute.demo
    recorded = read_opus_packets(minute.demo_recording())
    print(
        f"\ndemo: {demo['frames_sent']} frames and {demo['silence_frames']} of silence sent,"
        f" {len(recorded)} recorded, {demo['lost']} lost, {demo['mode']}"
    )
    assert demo["ok"]
    assert demo["frames_sent"] == FRAMES
    assert demo["frames_received"] == FRAMES + len(SILENCE)
    assert demo["lost"] == 0
    assert recorded == minute.sent
    assert all(session["packets_bad"] == {} for session in demo["server"])


def test_the_demo_sounds_like_its_source(minute: Minute, tmp_path: Path) -> None:
    # Packet after packet: the recording itself keeps the pauses of a busy machine.
    packets = read_opus_packets(minute.demo_recording())
    fidelity = measure(SONG, decoded(in_a_row(packets, tmp_path / "played.ogg")))
    print(
        f"\nsignal to difference at 128 kbit/s: {fidelity.snr:.1f} dB over the whole,"
        f" {fidelity.worst:.1f} dB in the worst frame of 20 ms (number"
        f" {fidelity.worst_frame}); {fidelity.lag} samples late"
    )
    assert fidelity.snr >= MIN_SNR
    assert fidelity.worst >= MIN_FRAME_SNR
    assert fidelity.faithful


@pytest.mark.parametrize("where", [7, 1500, 2990])
def test_two_swapped_frames_do_not_pass_for_the_source(
    minute: Minute, where: int, tmp_path: Path
) -> None:
    packets = read_opus_packets(minute.demo_recording())
    packets[where], packets[where + 1] = packets[where + 1], packets[where]
    fidelity = measure(SONG, decoded(in_a_row(packets, tmp_path / "swapped.ogg")))
    print(
        f"\nframes {where} and {where + 1} swapped: {fidelity.snr:.1f} dB over the whole,"
        f" {fidelity.worst:.1f} dB in the worst frame (number {fidelity.worst_frame})"
    )
    assert not fidelity.faithful
    assert abs(fidelity.worst_frame - where) <= 2


def test_a_lossy_call_accounts_for_every_packet(minute: Minute) -> None:
    link = Link(loss=LOSS / 100, seed=LISTENER_SEED)
    arrives = []
    for packet in minute.sent:
        link.send(packet, 0.0)
        arrives.append(link.receive(0.0) is not None)
    head, tail = arrives.index(True), arrives[::-1].index(True)
    expected = [packet for packet, came in zip(minute.sent, arrives, strict=True) if came]

    track = minute.lossy_track()
    dropped = minute.sessions[LISTENER]["dropped_to"]
    print(
        f"\n--loss {LOSS} --seed {SEED}: {len(minute.sent)} sent, {track['frames']} received,"
        f" {track['lost']} reported lost + {head} before the first + {tail} after the last"
        f" = {dropped} dropped by the server ({dropped / len(minute.sent):.2%});"
        f" lateness in ms {minute.played['lateness_ms']}"
    )
    assert (head > 0, tail > 0) == (True, True)
    assert track["lost"] + head + tail == dropped
    assert track["frames"] + dropped == len(minute.sent)
    assert track["late"] == 0
    assert read_opus_packets(Path(track["path"])) == expected


def test_a_lossy_call_survives(minute: Minute) -> None:
    player = minute.sessions[PLAYER]
    assert minute.played["frames_sent"] == FRAMES
    assert player["packets_valid"] == len(minute.sent)
    assert player["packets_missing"] == 0
    assert all(session["packets_bad"] == {} for session in minute.sessions.values())
    assert all(session["resumes"] == 0 for session in minute.sessions.values())
    assert [session["close_code"] for session in minute.sessions.values()] == [1000, 1000]


def in_a_row(packets: list[bytes], path: Path) -> Path:
    """Write Opus packets without a pause between them."""
    writer = OggOpusWriter(path)
    for packet in packets:
        writer.write(packet)
    writer.close()
    return path


def decoded(path: Path) -> npt.NDArray[np.int16]:
    """Decode with FFmpeg: none of our code takes part."""
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    samples = np.concatenate(blocks, axis=1).T  # planar floats
    return (samples.clip(-1, 1) * 32767).astype(np.int16)
