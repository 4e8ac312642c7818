"""Sends many streams of packets, 50 a second each, in one of several ways.

Arguments: ``way`` (a key of `WAYS`), ``streams``, ``port``, ``depth`` (seconds, of the pacer's
ring) and ``hog``. Command: ``run`` with ``seconds``. The packets are sealed by the same session
in all ways; what differs is who waits for the deadlines.
"""

import asyncio
import json
import select
import socket
import sys
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

from voicekit._crypto import available_modes
from voicekit._session import RtpSession
from voicekit.pacer import Notifier, Pacer

from .._limit import send_on_time
from .process import pin, say

PAYLOAD = b"\xfc" + bytes(range(159))
PERIOD = 0.02
#: Nanoseconds: as often as the pacer's thread wakes, and streams are spread over.
TICK = 500_000
#: From the order to begin to the first deadline, in seconds: everything is set up by then.
LEAD = 0.5


class Sender:
    """One stream: its socket and its session."""

    def __init__(self, number: int, port: int) -> None:
        self.ssrc = number + 1
        self.session = RtpSession(self.ssrc, sequence=0)
        self.session.set_key(available_modes()[0], bytes(32))
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.begin = 0.0  # its first deadline
        self.late = array("d")

    def send(self, due: float) -> None:
        """Seal and send one packet, and note how late it left."""
        data = self.session.seal_audio(PAYLOAD, due)
        assert data is not None
        self.sock.send(data)
        self.late.append(time.monotonic() - due)


class Way:
    """One way to send: it runs for some seconds and says what it found."""

    #: Deadlines and lateness are the pacer's, not ours.
    def __init__(self, senders: list[Sender], arguments: dict[str, Any]) -> None:
        self.senders = senders
        self.arguments = arguments

    def run(self, seconds: float) -> dict[str, Any]:
        """Send for so long."""
        start = time.monotonic() + LEAD
        for number, sender in enumerate(self.senders):
            sender.begin = start + PERIOD * number / len(self.senders)
        self.send_until(start + seconds)
        late = sorted(each for sender in self.senders for each in sender.late)
        return {
            "deadlines": {s.ssrc: (0, int(s.begin * 1e9)) for s in self.senders},
            "lateness": {
                "p50": late[len(late) // 2] * 1e3,
                "p99": late[int(len(late) * 0.99)] * 1e3,
                "max": late[-1] * 1e3,
            },
        }

    def send_until(self, end: float) -> None:
        """Send all that is due before ``end``."""
        raise NotImplementedError


class Threads(Way):
    """A thread for each stream, which sleeps until the next deadline: discord.py's way."""

    def send_until(self, end: float) -> None:
        """Send all that is due before ``end``."""

        def play(sender: Sender) -> None:
            due = sender.begin
            while due < end and time.monotonic() < end:
                time.sleep(max(0.0, due - time.monotonic()))
                sender.send(due)
                due += PERIOD

        threads = [threading.Thread(target=play, args=(s,)) for s in self.senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Asyncio(Way):
    """A task of asyncio for each stream."""

    def send_until(self, end: float) -> None:
        """Send all that is due before ``end``."""

        async def play(sender: Sender) -> None:
            due = sender.begin
            while due < end and time.monotonic() < end:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sender.send(due)
                due += PERIOD

        async def main() -> None:
            await asyncio.gather(*(play(sender) for sender in self.senders))

        asyncio.run(main())


class Paced(Way):
    """The pacer, fed from Python: a ring for each stream, filled when it runs low."""

    def run(self, seconds: float) -> dict[str, Any]:
        """Send for so long."""
        native = self.arguments["way"] == "pacer"
        with Pacer(native=native) as pacer, Notifier() as notifier:
            streams = [
                pacer.add(
                    sender.session,
                    sender.sock,
                    depth=self.arguments["depth"],
                    notifier=notifier,
                )
                for sender in self.senders
            ]
            read = _read
            for stream in streams:
                stream.fill(read)
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                select.select([notifier], [], [], left)
                for stream in notifier.take():
                    stream.fill(read)
            stats = pacer.stats()
            begins = [stream.first_deadline for stream in streams]
        late = stats.lateness
        return {
            "deadlines": {
                s.ssrc: (0, begin) for s, begin in zip(self.senders, begins, strict=True)
            },
            "lateness": {"p50": late.p50 * 1e3, "p99": late.p99 * 1e3, "max": late.max * 1e3},
            "underruns": stats.underruns,
            "rebases": stats.rebases,
            "unsent": stats.unsent,
            "thread_cpu": stats.cpu_seconds,
            "turns": stats.turns,
        }


class Limit(Way):
    """The same packets, sealed before, from a loop in C that sleeps and sends: nothing else."""

    def run(self, seconds: float) -> dict[str, Any]:
        """Send for so long."""
        packet = self.senders[0].session.seal_audio(PAYLOAD, time.monotonic())
        assert packet is not None
        begin = time.monotonic_ns() + int(LEAD * 1e9)
        fds = array("i", [sender.sock.fileno() for sender in self.senders])
        send_on_time(fds, packet, begin, TICK, int(PERIOD * 1e9), round(seconds / PERIOD))
        steps = int(PERIOD * 1e9) // TICK
        places = {
            n: step
            for step in range(steps)
            for n in range(len(fds) * step // steps, len(fds) * (step + 1) // steps)
        }
        return {"deadlines": {s.ssrc: (0, begin + places[s.ssrc - 1] * TICK) for s in self.senders}}


WAYS: dict[str, type[Way]] = {
    "limit": Limit,
    "pacer": Paced,
    "python pacer": Paced,
    "threads": Threads,
    "asyncio": Asyncio,
}


def _read() -> bytes:
    return PAYLOAD


def _hog(stop: threading.Event) -> None:
    """Compute without pause, as user code does: the GIL is never given up, only taken."""
    number = 0
    while not stop.is_set():
        for _ in range(10_000):
            number = (number * 1103515245 + 12345) & 0x7FFFFFFF


def main(arguments: dict[str, Any]) -> None:
    """Wait for the order, send, answer."""
    pin(arguments["core"])
    senders = [Sender(number, arguments["port"]) for number in range(arguments["streams"])]
    say({"addresses": [sender.sock.getsockname() for sender in senders]})
    command = json.loads(sys.stdin.readline())
    stop = threading.Event()
    hog: Callable[[], object] = threading.Thread(target=_hog, args=(stop,), daemon=True).start
    if arguments["hog"]:
        hog()
    cpu, wall = time.process_time(), time.monotonic()
    found = WAYS[arguments["way"]](senders, arguments).run(command["seconds"])
    wall = time.monotonic() - wall
    found["cpu"] = (time.process_time() - cpu) / wall
    if "thread_cpu" in found:
        found["thread_cpu"] /= wall
    stop.set()
    say(found)
    sys.stdin.readline()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
