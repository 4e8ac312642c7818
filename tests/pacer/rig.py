"""A session, its stream, and the socket that hears it; with a clock that is told, or a real one."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from voicekit import Config, RtpSession
from voicekit._crypto import TransportCipher, available_modes
from voicekit._rtp import open_packet
from voicekit.codes import SILENCE_FRAME
from voicekit.pacer import LatePolicy, Notifier, Pacer, Stream
from voicekit.pacer._loop import Loop
from voicekit.pacer._native import AVAILABLE, NativeLoop
from voicekit.pacer.threaded import ThreadedLoop

MODE = available_modes()[0]
KEY = bytes(range(32))
SSRC = 0x0102_0304
MS = 1_000_000
FRAME = 20 * MS
#: Where the told clock begins: far from zero, between two ticks.
START = 1_000_000 * MS + 300_000

#: Both pacers, where there are two.
PACERS = [True, False] if AVAILABLE else [False]
NAMES = {True: "native", False: "threaded"}

#: Frames by their length: TOC byte to duration in samples.
TOC = {120: 0xE4, 240: 0xEC, 480: 0xF4, 960: 0xFC}


def voice(number: int, duration: int = 960) -> bytes:
    """An Opus packet that says its number."""
    return bytes([TOC[duration]]) + number.to_bytes(4, "big") + bytes(75)


def voices(count: int, first: int = 0) -> list[bytes]:
    return [voice(number) for number in range(first, first + count)]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread brings about; half a minute is for ever."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def descriptors() -> set[int]:
    """The descriptors of this process that are open."""
    return {fd for fd in range(1024) if _is_open(fd)}


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Packet:
    """What came out of a datagram."""

    ssrc: int
    sequence: int
    timestamp: int
    marker: bool
    payload: bytes
    nonce: int

    @property
    def number(self) -> int | None:
        """Of a `voice` packet; None: silence."""
        return None if self.payload == SILENCE_FRAME else int.from_bytes(self.payload[1:5], "big")


class Listener:
    """A UDP socket that opens what it hears with the key."""

    def __init__(self, key: bytes = KEY) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(30)
        self.use_key(key)

    def use_key(self, key: bytes) -> None:
        self.cipher = TransportCipher(MODE, key, nonce_start=2**31)

    def connected(self) -> socket.socket:
        """A socket that sends to this one."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(self.socket.getsockname())
        return sock

    def packet(self) -> Packet:
        """Wait for the next one."""
        return self.open(self.socket.recv(65536))

    def packets(self) -> list[Packet]:
        """All that are there."""
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.packet())
        except BlockingIOError:
            return found
        finally:
            self.socket.settimeout(30)

    def numbers(self) -> list[int | None]:
        return [packet.number for packet in self.packets()]

    def open(self, datagram: bytes) -> Packet:
        packet = open_packet(self.cipher, datagram)
        return Packet(
            packet.ssrc,
            packet.sequence,
            packet.timestamp,
            packet.marker,
            bytes(packet.payload),
            int.from_bytes(datagram[-4:], "big"),
        )

    def close(self) -> None:
        self.socket.close()


def make_session(
    *, ssrc: int = SSRC, key: bytes = KEY, dave: Any = None, config: Config | None = None
) -> RtpSession:
    session = RtpSession(ssrc, sequence=65_530, timestamp=2**32 - 1920, dave=dave, config=config)
    session.set_key(MODE, key, nonce_start=100)
    return session


class Told:
    """One stream on a loop whose clock is told: nothing happens but by `run` and `at`."""

    def __init__(
        self,
        native: bool,
        *,
        depth: float = 0.1,
        policy: LatePolicy = LatePolicy.REBASE,
        dave: Any = None,
        config: Config | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self.loop: Loop = NativeLoop() if native else ThreadedLoop()
        self.loop.set_clock(START)
        self.now = START
        self.session = make_session(dave=dave, config=config)
        self.listener = Listener()
        self.sock = self.listener.connected()
        self.stream = Stream(
            self.loop,
            self.session,
            self.sock,
            depth=depth,
            policy=policy,
            clock_offset=0.0,
            notifier=notifier,
            owner=None,
        )
        self.loop.streams.add(self.stream)

    def at(self, now: int) -> list[Packet]:
        """One turn at ``now``, however late that is; what went out."""
        self.now = now
        self.loop.take_turn(now)
        return self.listener.packets()

    def run(self, duration: int) -> list[tuple[int, Packet]]:
        """Take every turn when it is due, for ``duration`` ns; when what went out."""
        end = self.now + duration
        out = []
        due: int | None = self.now
        while due is not None and due <= end:
            self.now = max(due, self.now)
            due = self.loop.take_turn(self.now)
            out += [(self.now, packet) for packet in self.listener.packets()]
        self.now = end
        assert not self.at(end)
        return out

    def numbers(self, duration: int) -> list[int | None]:
        return [packet.number for _, packet in self.run(duration)]

    def close(self) -> None:
        self.stream.remove()
        self.sock.close()
        self.listener.close()


@contextmanager
def told(native: bool, **options: Any) -> Iterator[Told]:
    rig = Told(native, **options)
    try:
        yield rig
    finally:
        rig.close()


class Live:
    """One stream of a real pacer."""

    def __init__(self, pacer: Pacer, *, ssrc: int = SSRC, dave: Any = None, **options: Any) -> None:
        self.session = make_session(ssrc=ssrc, dave=dave)
        self.listener = Listener()
        self.sock = self.listener.connected()
        try:
            self.stream = pacer.add(self.session, self.sock, **options)
        except BaseException:
            self.sock.close()
            self.listener.close()
            raise

    def close(self) -> None:
        self.stream.remove()
        self.sock.close()
        self.listener.close()


@contextmanager
def live(pacer: Pacer, **options: Any) -> Iterator[Live]:
    rig = Live(pacer, **options)
    try:
        yield rig
    finally:
        rig.close()
