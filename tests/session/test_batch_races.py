"""A batch without the GIL, and other threads that do not wait for it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from voicekit._crypto import TransportCipher
from voicekit._sender import Borrower
from voicekit._session import RtpSession
from voicekit.config import Config
from voicekit.errors import LocalProtocolError
from voicekit.testing import Pair

from .peers import ALICE, KEY, MODE, OURS, VOICE, Server, ready_session

#: Each takes some milliseconds of XChaCha20.
LARGE = [b"\xfc" + bytes([number]) * 50_000 for number in range(40)]
OTHER = [b"\xfc" + bytes([number]) * 50_000 for number in range(100, 140)]


def rounds(enough: Callable[[], object]) -> Iterator[None]:
    """Go on until both threads have met; half a minute if they never do."""
    end = time.monotonic() + 30.0
    while not enough() and time.monotonic() < end:
        yield


@contextmanager
def meddling(meddle: Callable[[], object]) -> Iterator[list[LocalProtocolError]]:
    """Another thread that calls ``meddle`` again and again; what it was refused."""
    refused: list[LocalProtocolError] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            try:
                meddle()
            except LocalProtocolError as error:
                refused.append(error)
            except BaseException as error:
                failures.append(error)
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield refused
    finally:
        done.set()
        thread.join()
    assert failures == []


MEDDLING: dict[str, Callable[[RtpSession], object]] = {
    "seal": lambda session: session.seal(VOICE),
    "seal_audio": lambda session: session.seal_audio(VOICE, 0.0),
    "seal_many": lambda session: session.seal_many([VOICE], 0.0),
    "set_key": lambda session: session.set_key(MODE, KEY),
    "lend": lambda session: (session.lend(Borrower()), session.take_back()),
}


@pytest.mark.parametrize("name", MEDDLING)
def test_nobody_comes_between_the_packets_of_a_batch(name: str) -> None:
    session = ready_session(sequence=0)
    with meddling(lambda: MEDDLING[name](session)) as refused:
        for _ in rounds(lambda: refused):
            try:
                datagrams = session.seal_many(LARGE, 0.0)
            except LocalProtocolError:
                assert name == "lend"  # it was lent at that moment
                continue
            packets = [Server().open(datagram) for datagram in datagrams]
            first = packets[0].sequence
            assert [packet.payload for packet in packets] == LARGE
            assert [packet.sequence for packet in packets] == [
                (first + number) & 0xFFFF for number in range(len(LARGE))
            ]
    assert refused
    assert session.drops == {}


def test_a_list_that_changes_meanwhile_is_taken_as_it_was() -> None:
    session = ready_session()
    frames = list(LARGE)
    versions = [LARGE, OTHER]

    def change() -> None:
        versions.reverse()
        frames[:] = versions[0]

    seen = set()
    with meddling(change):
        for _ in rounds(lambda: len(seen) == 2):
            datagrams = session.seal_many(frames, 0.0)
            payloads = [Server().open(datagram).payload for datagram in datagrams]
            assert payloads in (LARGE, OTHER)
            seen.add(payloads == LARGE)
    assert seen == {True, False}


def test_a_buffer_that_is_written_to_meanwhile_is_taken_as_it_was() -> None:
    cipher = TransportCipher(MODE, KEY)
    buffers = [bytearray(frame) for frame in LARGE]
    turn = [0]

    def write() -> None:
        turn[0] ^= 1
        for buffer, frame in zip(buffers, (LARGE, OTHER)[turn[0]], strict=True):
            buffer[:] = frame

    with meddling(write):
        for _ in range(10):
            sealed = cipher.seal_many([(b"header", buffer) for buffer in buffers])
            for plain in cipher.open_many(sealed, 6):
                assert plain is not None
                assert len(set(plain[1:])) == 1  # one version or the other, whole


def test_a_key_is_not_wiped_under_a_batch() -> None:
    cipher = TransportCipher(MODE, KEY)
    pairs = [(b"header", frame) for frame in LARGE]
    start, finished = threading.Event(), threading.Event()

    def close() -> None:
        if start.is_set() and not finished.is_set():
            cipher.close()
            finished.set()

    with meddling(close) as refused:
        for _ in rounds(lambda: refused):
            start.set()
            try:
                sealed = cipher.seal_many(pairs)
                opened = cipher.open_many(sealed, 6)
            except LocalProtocolError:
                break  # closed, between two batches
            assert opened == LARGE
            start.clear()
    assert refused or finished.is_set()


def test_a_connection_is_not_entered_while_a_batch_of_it_is_under_way() -> None:
    pair = Pair(clients=2, config=Config(modes=(MODE,)))
    pair.connect()
    pair.play(pair.clients[0], 3)
    pair.drive(0.1)
    connection, now = pair.clients[0].connection, pair.now
    with meddling(lambda: connection.handle_timeout(now)) as refused:
        for _ in rounds(lambda: refused):
            try:
                assert len(connection.seal_many(LARGE, now)) == len(LARGE)
            except LocalProtocolError:
                continue  # the other one was first
    assert refused
    assert connection.seal_audio(VOICE, now) is not None


def test_the_key_stays_while_a_batch_is_opened() -> None:
    server = Server()
    session = ready_session()
    session.map_ssrc(7, ALICE, 0.0)
    sequence = 0
    with meddling(lambda: session.reset(OURS)) as refused:
        for _ in rounds(lambda: refused):
            batch = [server.packet(7, sequence + n, frame) for n, frame in enumerate(LARGE)]
            sequence += len(LARGE)
            session.set_key(MODE, KEY)
            session.map_ssrc(7, ALICE, 0.0)
            frames = session.receive_many(batch, 0.0)
            assert {frame.opus for frame in frames} <= set(LARGE)
    assert refused
    assert set(session.drops) <= {"no_key", "unknown_ssrc"}
