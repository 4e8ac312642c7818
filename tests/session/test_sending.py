import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit._crypto import TransportCipher
from voicekit._session import RtpSession
from voicekit.codes import SILENCE_FRAME
from voicekit.errors import LocalProtocolError, NonceExhausted

from .peers import KEY, MODE, OURS, VOICE, Server, drain, ready_session


def test_a_packet_is_what_the_protocol_draws():
    session = ready_session(sequence=7, timestamp=1000)
    datagram = session.seal(VOICE)
    header = bytes.fromhex("80 78 0007 000003e8 01020304")
    assert datagram == TransportCipher(MODE, KEY, nonce_start=0).seal(header, VOICE)


def test_sequence_and_timestamp_advance_and_wrap():
    session = ready_session(sequence=0xFFFF, timestamp=0xFFFF_FFFF - 959)
    server = Server()
    packets = [server.open(session.seal(VOICE)) for _ in range(3)]
    assert [packet.sequence for packet in packets] == [0xFFFF, 0, 1]
    assert [packet.timestamp for packet in packets] == [2**32 - 960, 0, 960]
    assert (session.last_sequence, session.last_timestamp) == (1, 960)


@pytest.mark.parametrize(
    ("opus", "samples"),
    [
        (SILENCE_FRAME, 960),
        (b"\xe0abc", 120),
        (b"\x18abc", 2880),
        (b"\xfd", 1920),
        (b"\xff\x06", 5760),
    ],
)
def test_the_timestamp_advances_by_the_duration(opus, samples):
    session = ready_session(timestamp=0)
    session.seal(opus)
    session.seal(opus)
    assert session.last_timestamp == samples


def test_numbers_start_at_random():
    starts = set()
    for _ in range(10):
        session = ready_session()
        session.seal(VOICE)
        starts.add((session.last_sequence, session.last_timestamp))
    assert len(starts) == 10


def test_randomness_can_be_given():
    def start(seed):
        session = ready_session(random=random.Random(seed))
        session.seal(VOICE)
        return session.last_sequence, session.last_timestamp

    assert start(1) == start(1) != start(2)


def test_nothing_was_sent_at_first():
    session = ready_session()
    assert session.last_sequence is None
    assert session.last_timestamp is None
    assert session.packets_sent == session.bytes_sent == 0


def test_sent_packets_are_counted():
    session = ready_session()
    sizes = [len(session.seal(VOICE)), len(session.seal_audio(SILENCE_FRAME, 0.0))]
    assert session.packets_sent == 2
    assert session.bytes_sent == sum(sizes)
    assert session.frames_sent_clear == 2


@pytest.mark.parametrize("marker", [False, True])
def test_the_marker_is_an_option(marker):
    datagram = ready_session().seal(VOICE, marker=marker)
    assert datagram[1] == (0xF8 if marker else 0x78)


def test_talk_spurts_are_marked_when_configured():
    session = ready_session(marker=True)
    marks = [session.seal_audio(VOICE, now)[1] >> 7 for now in (0.0, 0.02, 5.0, 5.02)]
    assert marks == [1, 0, 1, 0]


def test_seal_into_writes_the_same_datagram():
    expected = ready_session(sequence=1, timestamp=2).seal(VOICE, marker=True)
    buffer = bytearray(200)
    size = ready_session(sequence=1, timestamp=2).seal_into(buffer, VOICE, marker=True)
    assert bytes(buffer[:size]) == expected
    assert bytes(buffer[size:]) == bytes(200 - size)


def test_seal_into_a_small_buffer_changes_nothing():
    session = ready_session(sequence=1, timestamp=2)
    with pytest.raises(ValueError, match="133 bytes"):
        session.seal_into(bytearray(132), VOICE)
    assert session.last_sequence is None
    assert session.seal(VOICE) == ready_session(sequence=1, timestamp=2).seal(VOICE)


def test_seal_into_a_read_only_buffer_is_refused():
    with pytest.raises(BufferError):
        ready_session().seal_into(bytes(200), VOICE)


def test_seal_into_the_buffer_that_holds_the_frame():
    buffer = bytearray(VOICE.ljust(200))
    size = ready_session(sequence=0, timestamp=0).seal_into(
        buffer, memoryview(buffer)[: len(VOICE)]
    )
    assert Server().open(buffer[:size]).payload == VOICE


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_frame_is_borrowed_for_the_call_only(kind):
    source = bytearray(VOICE)
    session = ready_session()
    datagrams = [session.seal(kind(source)), session.seal_audio(kind(source), 0.0)]
    source[:] = b""  # no export is left behind, else this raises
    assert [Server().open(datagram).payload for datagram in datagrams] == [VOICE, VOICE]


BAD_FRAMES = [b"", b"\xff", b"\xff\x00", b"\xff\x3f" + bytes(50), b"\xfc" + bytes(61_200)]


@pytest.mark.parametrize("opus", BAD_FRAMES)
def test_what_is_not_opus_is_not_sent(opus):
    session = ready_session()
    assert session.seal_audio(opus, 0.0) is None
    assert session.drops == {"bad_frame": 1}
    with pytest.raises(ValueError, match="not an Opus packet"):
        session.seal(opus)
    assert session.last_sequence is None


def test_the_largest_frame_that_is_taken_fits_a_datagram():
    assert len(ready_session().seal(b"\xfc" + bytes(61_199))) < 65_507


def test_without_a_key_audio_is_dropped_and_a_bare_seal_raises():
    session = RtpSession(OURS)
    assert session.seal_audio(VOICE, 0.0) is None
    assert session.drops == {"not_ready": 1}
    with pytest.raises(LocalProtocolError, match="no key"):
        session.seal(VOICE)
    with pytest.raises(LocalProtocolError, match="no key"):
        session.seal_into(bytearray(200), VOICE)
    with pytest.raises(LocalProtocolError, match="no key"):
        session.seal_rtcp(bytes.fromhex("80c90001 01020304"))


def test_an_exhausted_key_drops_counts_and_says_so():
    session = RtpSession(OURS, sequence=5)
    session.set_key(MODE, KEY, nonce_start=2**31 - 1)
    assert not session.is_exhausted
    assert session.seal_audio(VOICE, 0.0) is not None
    assert session.is_exhausted
    assert session.seal_audio(VOICE, 0.02) is None
    assert session.drops == {"nonce_exhausted": 1}
    with pytest.raises(NonceExhausted):
        session.seal(VOICE)
    with pytest.raises(NonceExhausted):
        session.seal_rtcp(bytes.fromhex("80c90001 01020304"))
    assert session.build_report(1.0) is None
    assert session.last_sequence == 5
    session.set_key(MODE, bytes(32))
    assert not session.is_exhausted
    assert session.seal_audio(VOICE, 0.04) is not None
    assert session.last_sequence == 6


def test_dropped_frames_are_reported_when_asked():
    session = ready_session(report_drops=True)
    session.seal_audio(b"", 0.0)
    (event,) = drain(session)
    assert (event.reason, event.size, event.ssrc) == ("bad_frame", 0, OURS)


@pytest.mark.parametrize("opus", [None, 5, "text", [1, 2]])
def test_what_is_no_buffer_is_a_type_error(opus):
    with pytest.raises(TypeError):
        ready_session().seal(opus)


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=40),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
)
def test_no_nonce_and_no_sequence_number_is_used_twice(steps, sequence, timestamp):
    session = ready_session(sequence=sequence, timestamp=timestamp)
    now, nonces, sequences = 0.0, [], []
    for rtcp, pause in steps:
        now += pause
        datagram = session.receiver_report(now) if rtcp else session.seal_audio(VOICE, now)
        nonces.append(datagram[-4:])
        if not rtcp:
            sequences.append(int.from_bytes(datagram[2:4], "big"))
    assert len(set(nonces)) == len(nonces)
    assert sequences == [sequence + index & 0xFFFF for index in range(len(sequences))]
