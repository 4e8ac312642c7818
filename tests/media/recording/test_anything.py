"""Whatever comes from the network, a recorder raises nothing and writes no more than was said."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from voicekit._frame import AudioFrame
from voicekit.media import Recorder, read_opus_packets
from voicekit.rtcp import SenderReport

OPUS = st.sampled_from([b"", b"\xff", b"\xff\x00", b"\xfc" + bytes(9), b"\xf8\xff\xfe", b"\x5c"])
FRAMES = st.tuples(
    st.integers(1, 2),  # user
    st.integers(1, 3),  # SSRC
    OPUS,
    st.one_of(st.integers(0, 100), st.integers(-(2**40), 2**40)),  # sequence
    st.one_of(st.integers(0, 100_000), st.integers(-(2**47), 2**47)),  # RTP time
    st.floats(0, 2),  # seconds since the one before
)
REPORTS = st.tuples(st.integers(1, 3), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))


@given(st.lists(st.one_of(FRAMES, REPORTS), max_size=80))
@settings(deadline=None, max_examples=150)
def test_nothing_raises_and_nothing_grows(inputs: list[tuple[object, ...]]) -> None:
    recorder = Recorder(None, "ogg", begin=0.0)
    now = 0.0
    written = 0
    for one in inputs:
        match one:
            case (int() as ssrc, int() as ntp, int() as rtp_time):
                recorder.receive_rtcp([SenderReport(ssrc, ntp, rtp_time, 0, 0)], now)
            case (int() as user, int() as ssrc, bytes() as opus, int() as number, int() as rtp, _):
                now += float(one[5])  # type: ignore[arg-type]
                # An SSRC belongs to one user.
                frame = AudioFrame(user, user * 10 + ssrc, opus, number, rtp, arrived=now)
                recorder.write(frame)
                written += 1
    recorder.handle_timeout(now + 1)
    tracks = recorder.close()
    assert sum(track.frames + track.late for track in tracks) <= written
    for track in tracks:
        assert track.error is None
        # A sender's clock may run ahead by so much, and what was said is said.
        assert track.seconds <= now + 2.0 + 0.12 * written + 0.1
        file = recorder.recordings.get(track.user_id)
        if track.frames:
            assert isinstance(file, io.BytesIO)
            assert len(read_opus_packets(file.getvalue())) == track.frames
            assert len(file.getvalue()) < 1000 + 200 * written + (now + 4) * 40
