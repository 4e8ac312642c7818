import struct

import pytest

from voicekit._crypto import TransportCipher, available_modes
from voicekit._frame import AudioFrame
from voicekit._rtp import build_keepalive, seal_packet
from voicekit._session import RtpSession
from voicekit.codes import SILENCE_FRAME, DropReason
from voicekit.config import Config
from voicekit.rtcp import Goodbye

from .peers import (
    ALICE,
    ALICES,
    KEY,
    MODE,
    OURS,
    VOICE,
    Server,
    drain,
    ready_session,
    voice,
)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def session():
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    return session


def test_a_frame_tells_what_its_packet_told(server, session):
    data = server.packet(ALICES, 300, timestamp=96_000, marker=True)
    frame = session.receive(data, 12.5)
    assert frame == AudioFrame(
        ALICE, ALICES, VOICE, sequence=300, rtp_time=96_000, duration=960, marker=True, arrived=12.5
    )
    assert (frame.audio_level, frame.speaker_flags, frame.e2ee) == (None, None, False)
    assert session.packets_received == 1
    assert session.bytes_received == len(data)


def test_header_extensions_are_read(server, session):
    extensions = [(1, b"\xaa"), (3, b"abc"), (9, b"\x05")]
    frame = session.receive(server.packet(ALICES, 1, extensions=extensions), 0.0)
    assert (frame.audio_level, frame.speaker_flags) == (0x2A, 5)
    assert frame.opus == VOICE


@pytest.mark.parametrize(
    "options",
    [
        {"padding": 1},
        {"padding": 255},
        {"csrcs": range(15)},
        {"padding": 7, "csrcs": [1], "extensions": [(2, b"x" * 16)]},
    ],
)
def test_padding_csrcs_and_unknown_extensions_change_nothing(server, session, options):
    assert session.receive(server.packet(ALICES, 1, **options), 0.0).opus == VOICE


def test_frames_count_what_is_lost_before_them(server, session):
    received = [session.receive(server.packet(ALICES, n), 0.0) for n in (10, 11, 14, 13, 15)]
    assert [frame.lost_before for frame in received] == [0, 0, 2, 0, 0]
    stats = session.stream_stats()[ALICES]
    assert (stats.packets, stats.expected, stats.lost, stats.reordered) == (5, 6, 1, 1)
    assert (stats.first_sequence, stats.highest_sequence) == (10, 15)
    assert (stats.ssrc, stats.user_id, stats.bytes) == (ALICES, ALICE, 5 * len(VOICE))


def test_a_duplicate_is_never_delivered_twice(server, session):
    packet = server.packet(ALICES, 5)
    again = server.packet(ALICES, 5)  # sealed anew, as a server that retransmits does
    assert session.receive(packet, 0.0) is not None
    for data in (packet, again, packet):
        assert session.receive(data, 0.1) is None
    assert session.drops == {"duplicate": 3}
    assert session.stream_stats()[ALICES].duplicates == 3
    assert session.packets_received == 1


def test_our_own_ssrc_is_dropped(server, session):
    session.map_ssrc(OURS, ALICE, 0.0)
    session.speaking(OURS, ALICE, 1, 0.0)
    assert session.receive(server.packet(OURS, 5), 0.0) is None
    assert session.drops == {"own_ssrc": 1}
    assert session.user_of(OURS) is None
    assert drain(session) == []
    assert session.next_timeout() is None


def test_two_streams_are_told_apart(server, session):
    session.map_ssrc(2, 22, 0.0)
    for number in range(3):
        assert session.receive(server.packet(ALICES, number), 0.0).user_id == ALICE
        assert session.receive(server.packet(2, number), 0.0).user_id == 22
    assert set(session.stream_stats()) == {ALICES, 2}


def test_invalid_opus_is_handed_on_with_duration_0(server, session):
    frame = session.receive(server.packet(ALICES, 1, b"\xff\x00garbage"), 0.0)
    assert frame.duration == 0


@pytest.mark.parametrize("size", [2047, 2048, 2049, 9000, 65_000])
def test_large_datagrams_are_read(server, session, size):
    payload = b"\xfc" + bytes(size - 1)
    assert session.receive(server.packet(ALICES, 1, payload), 0.0).opus == payload


def bad_tag(server):
    return server.packet(ALICES, 1)[:-5] + b"\0\0\0\0\0"


def sealed(server, plain, first=0x80, second=0x78, extra=b""):
    header = struct.pack(">BBHII", first, second, 1, 960, ALICES) + extra
    return server.cipher.seal(header, plain)


HOSTILE = {
    "empty": (lambda server: b"", "too_short"),
    "short": (lambda server: b"\x80\x78" + bytes(20), "too_short"),
    "version 1": (lambda server: b"\x40\x78" + bytes(60), "bad_version"),
    "zeros": (lambda server: bytes(60), "bad_version"),
    "ones": (lambda server: b"\xff" * 60, "bad_version"),
    "keepalive": (lambda server: build_keepalive(3), "keepalive"),
    "discovery": (lambda server: b"\0\x02\0\x46" + bytes(70), "discovery"),
    "video": (lambda server: server.packet(ALICES, 1, payload_type=101), "payload_type"),
    "csrcs past the end": (lambda server: b"\x8f\x78" + bytes(40), "bad_header"),
    "wrong tag": (bad_tag, "bad_tag"),
    "64 KiB": (lambda server: b"\x80\x78" + bytes(65_505), "bad_tag"),
    "extension past the end": (
        lambda server: sealed(server, VOICE, 0x90, extra=b"\xbe\xde\xff\xff"),
        "bad_extension",
    ),
    "padding 0": (lambda server: sealed(server, VOICE + b"\0", 0xA0), "bad_padding"),
    "padding too long": (lambda server: sealed(server, b"ab\x04", 0xA0), "bad_padding"),
    "all padding": (lambda server: sealed(server, b"\0\0\x03", 0xA0), "empty"),
    "nothing inside": (lambda server: sealed(server, b""), "empty"),
    "rtcp, wrong tag": (lambda server: b"\x80\xc8" + bytes(60), "bad_tag"),
    "rtcp, garbage inside": (
        lambda server: server.cipher.seal(b"\x80\xc8\0\x06abcd", b"xyz"),
        "bad_rtcp",
    ),
}


@pytest.mark.parametrize(("make", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_datagrams_are_counted_and_the_call_goes_on(server, make, reason):
    session = ready_session(report_drops=True)
    session.map_ssrc(ALICES, ALICE, 0.0)
    data = make(server)
    assert session.receive(data, 0.0) is None
    assert session.drops == {reason: 1}
    (event,) = drain(session)
    assert event.reason is DropReason(reason)
    assert event.size == len(data)
    assert session.receive(server.packet(ALICES, 2), 0.0).opus == VOICE


@pytest.mark.parametrize("data", [Server().packet(ALICES, 1), b"\x80\xc8\0\1abcd" + bytes(40)])
def test_before_the_key_everything_is_dropped(data):
    session = RtpSession(OURS)
    session.map_ssrc(ALICES, ALICE, 0.0)
    assert session.receive(data, 0.0) is None
    assert session.drops == {"no_key": 1}


def test_drops_are_events_only_when_asked(session):
    session.receive(b"", 0.0)
    assert drain(session) == []


@pytest.mark.parametrize(
    ("make", "ssrc"),
    [(lambda server: b"", None), (bad_tag, ALICES), (HOSTILE["padding 0"][0], ALICES)],
)
def test_a_reported_drop_names_the_ssrc_where_it_is_known(server, make, ssrc):
    session = ready_session(report_drops=True)
    session.receive(make(server), 0.0)
    assert drain(session)[0].ssrc == ssrc


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
def test_the_datagram_is_borrowed_for_the_call_only(server, kind):
    session = ready_session()
    held, clear = kind(server.packet(ALICES, 1, voice(1))), kind(server.packet(ALICES, 2, voice(2)))
    assert session.receive(held, 0.0) is None
    held[:] = bytes(len(held))
    session.map_ssrc(ALICES, ALICE, 0.0)
    frame = session.receive(clear, 0.0)
    clear[:] = bytes(len(clear))
    rtcp = bytearray(server.rtcp(Goodbye((ALICES,))))
    session.receive(rtcp, 0.0)
    rtcp[:] = b""  # no export is left behind, else this raises
    assert [item.opus for item in drain(session) if isinstance(item, AudioFrame)] == [voice(1)]
    assert frame.opus == voice(2)


@pytest.mark.parametrize("data", [None, 5, "text"])
def test_what_is_no_buffer_is_a_type_error(session, data):
    with pytest.raises(TypeError):
        session.receive(data, 0.0)


def test_counters_go_on_beyond_the_wrap(server, session):
    numbers = range(0xFFFE, 0x10003)
    frames = [session.receive(server.packet(ALICES, n), n * 0.02) for n in numbers]
    assert [frame.sequence for frame in frames] == list(numbers)
    assert [frame.rtp_time for frame in frames] == [n * 960 for n in numbers]
    assert all(frame.lost_before == 0 for frame in frames)


def test_the_sessions_of_two_clients_hear_each_other():
    """Both ways with nothing of the server between: what one seals, the other reads."""
    one, other = RtpSession(1), RtpSession(2, config=Config())
    one.set_key(MODE, KEY, nonce_start=0)
    other.set_key(MODE, KEY, nonce_start=2**31)
    one.map_ssrc(2, 22, 0.0)
    other.map_ssrc(1, 11, 0.0)
    assert other.receive(one.seal_audio(VOICE, 0.0), 0.0).user_id == 11
    assert one.receive(other.seal_audio(SILENCE_FRAME, 0.0), 0.0).user_id == 22


@pytest.mark.parametrize("mode", [MODE, "aead_aes256_gcm_rtpsize"])
def test_both_modes_are_received(mode):
    if mode not in available_modes():
        pytest.skip("not available here")
    session = RtpSession(OURS)
    session.set_key(mode, KEY)
    session.map_ssrc(ALICES, ALICE, 0.0)
    cipher = TransportCipher(mode, KEY, nonce_start=2**31)
    data = seal_packet(cipher, sequence=1, timestamp=2, ssrc=ALICES, payload=VOICE)
    assert session.receive(data, 0.0).opus == VOICE
    assert session.mode == mode
