"""Many frames, many datagrams at once: the same as one after the other, only sooner."""

import pytest

from voicekit._crypto import TransportCipher
from voicekit._session import RtpSession
from voicekit.codes import SILENCE_FRAME
from voicekit.errors import LocalProtocolError
from voicekit.rtcp import Goodbye

from .peers import ALICE, ALICES, BOB, BOBS, KEY, MODE, OURS, VOICE, Server, drain, ready_session
from .peers import voice as numbered


def two_sessions(**options: object) -> tuple[RtpSession, RtpSession]:
    """Two sessions that do the same under the same numbers."""
    return tuple(ready_session(sequence=9, timestamp=70, **options) for _ in range(2))  # type: ignore[return-value]


# -- sealing ---------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 64, 200])
def test_a_batch_is_sealed_as_its_frames_one_by_one(count: int) -> None:
    frames = [numbered(number) for number in range(count)]
    many, single = two_sessions()
    assert many.seal_many(frames, 1.0) == [single.seal_audio(frame, 1.0) for frame in frames]
    assert many.last_sequence == single.last_sequence
    assert many.packets_sent == count
    assert many.bytes_sent == single.bytes_sent
    assert many.frames_sent_clear == count


def test_the_media_clock_jumps_before_the_first_frame_only() -> None:
    many, single = two_sessions(marker=True)
    for session in (many, single):
        session.seal_audio(VOICE, 0.0)
    assert many.seal_many([VOICE] * 3, 5.0) == [single.seal_audio(VOICE, 5.0) for _ in range(3)]


def test_what_is_no_opus_is_left_out_and_counted() -> None:
    session = ready_session(sequence=0)
    datagrams = session.seal_many([VOICE, b"", bytearray(VOICE), bytes(70_000), VOICE], 0.0)
    assert [Server().open(datagram).sequence for datagram in datagrams] == [0, 1, 2]
    assert {Server().open(datagram).payload for datagram in datagrams} == {VOICE}
    assert session.drops == {"bad_frame": 2}


def test_without_a_key_all_are_dropped() -> None:
    session = RtpSession(OURS)
    assert session.seal_many([VOICE] * 3, 0.0) == []
    assert session.drops == {"not_ready": 3}


def test_the_last_nonces_are_used_and_no_more() -> None:
    session = RtpSession(OURS, sequence=0)
    session.set_key(MODE, KEY, nonce_start=2**31 - 2)
    assert len(session.seal_many([VOICE] * 5, 0.0)) == 2
    assert session.drops == {"nonce_exhausted": 3}
    assert session.is_exhausted
    assert session.last_sequence == 1


def test_a_generator_that_fails_seals_nothing() -> None:
    session = ready_session()

    def frames() -> object:
        yield VOICE
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        session.seal_many(frames(), 0.0)  # type: ignore[arg-type]
    assert session.last_sequence is None


# -- opening ---------------------------------------------------------------------


def datagrams_of_all_kinds() -> list[bytes]:
    server = Server()
    return [
        server.packet(ALICES, 1),
        server.packet(BOBS, 1, numbered(5)),
        server.rtcp(Goodbye((7,))),
        server.packet(ALICES, 2, SILENCE_FRAME),
        b"",
        bytes(100),
        server.packet(OURS, 3),
        server.packet(ALICES, 2),
        server.packet(ALICES, 3)[:-1] + b"x",
        server.packet(4321, 1),
        server.packet(ALICES, 5, bytes([0xFC]) + bytes(3000)),
    ]


@pytest.mark.parametrize("as_type", [bytes, bytearray, memoryview])
def test_a_batch_is_opened_as_its_datagrams_one_by_one(as_type: type) -> None:
    datagrams = [as_type(datagram) for datagram in datagrams_of_all_kinds()]
    many, single = two_sessions()
    for session in (many, single):
        session.map_ssrc(ALICES, ALICE, 0.0)
        session.map_ssrc(BOBS, BOB, 0.0)
    frames = [single.receive(datagram, 1.0) for datagram in datagrams]
    assert many.receive_many(datagrams, 1.0) == [frame for frame in frames if frame is not None]
    assert drain(many) == drain(single)
    assert many.drops == single.drops != {}
    assert many.stream_stats() == single.stream_stats()


def test_an_empty_batch_is_no_news() -> None:
    session = ready_session()
    assert session.receive_many([], 0.0) == []
    assert session.drops == {}


def test_input_buffers_are_only_borrowed() -> None:
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    buffers = [bytearray(Server().packet(ALICES, number)) for number in range(3)]
    frames = session.receive_many(buffers, 0.0)
    for buffer in buffers:
        buffer[:] = bytes(len(buffer))
    assert [frame.opus for frame in frames] == [VOICE] * 3


def test_a_batch_that_is_no_batch_is_a_wrong_call() -> None:
    session = ready_session()
    for wrong in (None, [None], ["text"]):
        with pytest.raises(TypeError):
            session.receive_many(wrong, 0.0)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            session.seal_many(wrong, 0.0)  # type: ignore[arg-type]


# -- large ones, which let other threads run -----------------------------------------


LARGE = [b"\xfc" + bytes([number]) * 50_000 for number in range(40)]


def test_a_large_batch_is_sealed_and_opened_like_a_small_one() -> None:
    many, single = two_sessions()
    datagrams = many.seal_many(LARGE, 0.0)
    assert datagrams == [single.seal_audio(frame, 0.0) for frame in LARGE]
    cipher = TransportCipher(MODE, KEY, nonce_start=2**31)
    other = ready_session()
    other.reset(OURS + 1)
    other.set_key(MODE, KEY)
    other.map_ssrc(OURS, ALICE, 0.0)
    datagrams[3] = datagrams[3][:-1] + b"\xff"
    frames = other.receive_many([b"", *datagrams], 0.0)
    assert [frame.opus for frame in frames] == LARGE[:3] + LARGE[4:]
    assert other.drops == {"too_short": 1, "bad_tag": 1}
    assert cipher.open_many(datagrams, 12) == [*LARGE[:3], None, *LARGE[4:]]


def test_errors_of_a_batch_leave_the_session_usable() -> None:
    session = ready_session()
    with pytest.raises(TypeError):
        session.seal_many([*LARGE, None], 0.0)  # type: ignore[list-item]
    session.seal_audio(VOICE, 0.0)
    session.close()
    with pytest.raises(LocalProtocolError):
        session.seal(VOICE)
