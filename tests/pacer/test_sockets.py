"""Sockets that fail, close, and come and go, under a pacer that runs."""

import errno
import os
import socket
import sys
import threading
from itertools import groupby

import pytest

from voicekit import LocalProtocolError
from voicekit.pacer import Pacer, SocketFailed, StreamState

from .rig import (
    MODE,
    Listener,
    Live,
    descriptors,
    eventually,
    live,
    make_session,
    told,
    voice,
    voices,
)

KEY = bytes(range(32))


def unheard() -> socket.socket:
    """A socket whose peer is a port that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = nobody.getsockname()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(address)
    return sock


def play_out(rig: Live) -> None:
    """Wait, on the pacer's own events, until the stream has finished."""
    rig.stream.finish()
    eventually(lambda: rig.stream.state is StreamState.IDLE)


def test_a_peer_that_is_gone_ends_nothing(pacer: Pacer) -> None:
    session = make_session(ssrc=5)
    with unheard() as sock, live(pacer) as healthy:
        stream = pacer.add(session, sock)
        stream.push_many(voices(5))
        healthy.stream.push_many(voices(5))
        play_out(healthy)
        stream.finish()
        eventually(lambda: stream.state is StreamState.IDLE)
        assert stream.sent == 5
        assert healthy.listener.numbers() == [0, 1, 2, 3, 4] + [None] * 5
        stream.remove()


def test_a_socket_without_a_peer_is_reported_once_and_counted(native: bool) -> None:
    with told(native) as rig, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as aimless:
        rig.stream.rebind(aimless)
        rig.stream.push_many(voices(5))
        rig.stream.finish()
        assert rig.run(2 * 10**9) == []
        first = rig.stream.poll()
        assert isinstance(first, SocketFailed)
        assert first.errno in (errno.EDESTADDRREQ, errno.ENOTCONN)
        assert first.count == 10
        assert rig.stream.stats().unsent == 10
        # It goes on as soon as it can.
        rig.stream.poll()
        rig.stream.rebind(rig.sock)
        rig.stream.push(voice(9))
        assert rig.numbers(10**7) == [9]


@pytest.mark.skipif(sys.platform != "linux", reason="others do not tell of it")
def test_what_an_earlier_datagram_met_does_not_cost_this_one(native: bool) -> None:
    """Linux tells of an ICMP answer by failing the next send, which then has sent nothing."""
    with told(native) as rig:
        rig.stream.push(voice(0))
        rig.run(10**7)
        address = rig.listener.socket.getsockname()
        rig.listener.socket.close()
        rig.sock.send(b"into the void")
        rig.listener.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rig.listener.socket.bind(address)
        rig.stream.push(voice(1))
        assert rig.numbers(2 * 10**7)[:1] == [1]
        assert rig.stream.stats().unsent == 0


def test_the_callers_socket_is_theirs_to_close(pacer: Pacer) -> None:
    with live(pacer) as rig:
        rig.sock.close()
        rig.stream.push_many(voices(3))
        assert [rig.listener.packet().number for _ in range(3)] == [0, 1, 2]


def test_the_blocking_mode_of_the_callers_socket_is_left_alone(pacer: Pacer) -> None:
    with live(pacer) as rig:
        for timeout in (None, 0.0):
            rig.sock.settimeout(timeout)
            rig.stream.rebind(rig.sock)
            assert os.get_blocking(rig.sock.fileno()) is (timeout is None)


def test_a_descriptor_number_does_for_a_socket(pacer: Pacer) -> None:
    session = make_session(ssrc=5)
    listener = Listener()
    with listener.connected() as sock:
        stream = pacer.add(session, sock.fileno())
    stream.push(voice(1))
    assert listener.packet().number == 1
    stream.remove()
    listener.close()


def test_a_closed_socket_is_refused_and_leaves_nothing_behind(pacer: Pacer) -> None:
    session = make_session(ssrc=5)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        pacer.add(session, sock)
    assert not session.is_lent


def test_the_duplicate_is_not_inherited_by_child_processes(pacer: Pacer) -> None:
    with live(pacer) as rig:
        before = descriptors()
        stream = pacer.add(make_session(ssrc=6), rig.sock)
        (new,) = descriptors() - before
        assert not os.get_inheritable(new)
        stream.remove()
        assert descriptors() == before


def test_no_other_socket_ever_receives_a_byte(pacer: Pacer) -> None:
    """Streams and their sockets come and go while others take over the descriptor numbers.

    Those others are connected to a trap. A send on a descriptor that was closed and opened
    again would end there.
    """
    trap = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    trap.bind(("127.0.0.1", 0))
    trap.setblocking(False)
    listener = Listener()
    bystanders: list[socket.socket] = []
    numbers: set[int] = set()
    reused = 0
    for turn in range(150):
        streams = []
        for number in range(4):
            session = make_session(ssrc=1 + number)
            sock = listener.connected()
            stream = pacer.add(session, sock, depth=1.0)
            sock.close()
            stream.push_many(voices(50))
            streams.append(stream)
        if turn % 3 == 0:
            listener.socket.recv(4096)  # something is on its way, at any phase
        for stream in streams:
            before = descriptors()
            stream.remove()
            numbers |= before - descriptors()
            bystander = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            bystander.connect(trap.getsockname())
            reused += bystander.fileno() in numbers
            bystanders.append(bystander)
            if len(bystanders) > 8:
                bystanders.pop(0).close()
        listener.packets()
    assert reused > 100
    with pytest.raises(BlockingIOError):
        trap.recv(4096)
    for sock in [*bystanders, trap, listener.socket]:
        sock.close()


def test_a_rebind_closes_the_socket_of_before(pacer: Pacer) -> None:
    other = Listener()
    with live(pacer) as rig, other.connected() as sock:
        open_now = descriptors()
        for _ in range(20):
            rig.session.set_key(MODE, KEY)
            rig.stream.rebind(sock)
        assert descriptors() == open_now
        rig.stream.push(voice(3))
        assert other.packet().number == 3
    other.close()


def test_rebind_to_a_closed_socket_changes_nothing(pacer: Pacer) -> None:
    with live(pacer) as rig:
        sock = rig.listener.connected()
        sock.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            rig.stream.rebind(sock)
        rig.stream.push(voice(3))
        assert rig.listener.packet().number == 3


def test_a_session_that_is_closed_sends_no_more(pacer: Pacer) -> None:
    with live(pacer, depth=1.0) as rig:
        rig.stream.push_many(voices(50))
        rig.listener.packet()
        rig.session.close()
        rig.listener.packets()
        position = rig.stream.position
        with pytest.raises(LocalProtocolError):
            rig.session.receiver_report(0.0)
        assert rig.stream.position == position
        assert rig.stream.state is StreamState.FROZEN


class SlowSocket:
    """A socket of a loop in Python whose `send` takes until it is told to end."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.sending, self.end = threading.Event(), threading.Event()

    def dup(self) -> "SlowSocket":
        return self

    def fileno(self) -> int:
        return -1

    def send(self, data: bytes, flags: int = 0) -> int:
        self.sending.set()
        assert self.end.wait(30)
        self.log.append("sent")
        return len(data)

    def close(self) -> None:
        self.log.append("closed")


@pytest.mark.parametrize("change", ["remove", "close the session", "rebind"])
def test_who_changes_a_stream_waits_for_the_packet_in_hand(change: str) -> None:
    with Pacer(native=False) as pacer:
        session, slow, other = make_session(), SlowSocket(), SlowSocket()
        other.end.set()
        stream = pacer.add(session, slow)  # type: ignore[arg-type]
        stream.push(voice(0))
        assert slow.sending.wait(30)
        changes = {
            "remove": stream.remove,
            "close the session": session.close,
            "rebind": lambda: stream.rebind(other),  # type: ignore[arg-type]
        }

        def work() -> None:
            changes[change]()
            slow.log.append("changed")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(0.1)  # time to go wrong in
        slow.end.set()
        thread.join()
        changed = {"remove": ["sent", "closed", "changed"], "rebind": ["sent", "closed", "changed"]}
        # The silence behind the packet may be due before the change has its turn; never after.
        assert [what for what, _ in groupby(slow.log)] == changed.get(change, ["sent", "changed"])
