"""A live call on a server that is fed garbage on both sockets.

``pytest -n 0 -s -m nightly tests/soak/test_garbage.py`` takes ten minutes and prints its
figures; the normal run has five seconds of the same. Server, garbage and call are three
processes.
"""

import json
import math
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from socket import AF_INET, SOCK_DGRAM, socket

import pytest
import trio

from tests.cli.processes import environment, served
from tests.independent.process import ServerProcess
from tests.trio.calls import CHANNEL, EARS, GUILD, MOUTH, SILENCE, info
from voicekit.config import Config
from voicekit.trio import Network, Voice, connect
from voicekit.trio.network import Datagrams

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TOKEN = "admits-anybody-who-knows-it"
FRAMES_PER_SECOND = 50
MEBIBYTE = 1 << 20
#: Interpreter and libraries are 48 MiB of it; ten minutes of garbage end at 64.
MAX_RSS = 96 * MEBIBYTE
#: What it may still grow by in the second half, when all its tables have filled up.
MAX_LATE_GROWTH = 6 * MEBIBYTE
#: Of one core, for 2000 datagrams and 50 connections a second.
MAX_CPU = 0.5


@dataclass
class Figures:
    """What was measured."""

    seconds: float
    frames_sent: int = 0
    frames: list[bytes] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    mimicry: Counter[str] = field(default_factory=Counter)
    rss: list[int] = field(default_factory=list)  # bytes, each second
    files: list[int] = field(default_factory=list)  # open, each second
    cpu: float = 0.0  # of one core
    longest_gap: float = 0.0  # between two frames, in seconds

    def late_growth(self) -> int:
        half = len(self.rss) // 2
        return max(self.rss[half:]) - max(self.rss[:half])


def test_five_seconds_of_garbage() -> None:
    check(5.0, datagrams=800, connections=20)


@pytest.mark.nightly
def test_ten_minutes_of_garbage() -> None:
    check(600.0, datagrams=2000, connections=50)


def check(seconds: float, *, datagrams: int, connections: int) -> None:
    figures = Figures(seconds)
    with served("--token", TOKEN) as server:
        garbage = trio.run(soak, server, figures, datagrams, connections)
        kernel_drops = dropped_by_kernel(server.udp_port)
        last = server.last_line()
    strangers = last["server"]
    sessions = last["sessions"]
    samples = figures.rss[:: max(1, len(figures.rss) // 10)]
    sent, opened = sum(garbage["datagrams"].values()), sum(garbage["connections"].values())
    counted = sum(strangers["datagrams_dropped"].values())
    print(
        f"\n{seconds:g} s: {sent} datagrams of garbage, {opened} connections of garbage,"
        f" {sum(figures.mimicry.values())} datagrams like the call's own"
        f"\nthe call: {len(figures.frames)} of {figures.frames_sent} + {len(SILENCE)} frames,"
        f" the longest gap {figures.longest_gap * 1000:.0f} ms, events {dict(figures.events)}"
        f"\nthe server counted {counted} datagrams: {strangers['datagrams_dropped']};"
        f" {sum(strangers['messages_bad'].values())} messages, most of all"
        f" {Counter(strangers['messages_bad']).most_common(5)};"
        f" {strangers['sockets_refused']} sockets refused, {len(sessions)} sessions listed"
        f"\nthe kernel dropped {kernel_drops} datagrams before the server could take them"
        f"\nclosed by the server: {garbage['closed']}"
        f"\nconnections: {garbage['connections']}"
        f"\nRSS: {figures.rss[0] / MEBIBYTE:.1f} MiB at first,"
        f" {max(figures.rss) / MEBIBYTE:.1f} at most, {figures.rss[-1] / MEBIBYTE:.1f} at last,"
        f" growth of the second half {figures.late_growth() / MEBIBYTE:.1f};"
        f" {max(figures.files)} files open at most, {figures.files[-1]} at last;"
        f" CPU {figures.cpu:.1%} of a core"
        f"\nRSS in MiB, ten times: {[round(rss / MEBIBYTE) for rss in samples]}"
    )
    # The call is unharmed.
    assert figures.frames == packets(figures.frames_sent) + SILENCE
    assert figures.events["Reconnecting"] == figures.events["SessionResumed"] == 0
    for user in (MOUTH, EARS):
        (session,) = [each for each in sessions if each["user_id"] == user]
        assert session["resumes"] == 0
        assert session["close_code"] == 1000
        assert session["messages_bad"] == {}
        assert set(session["packets_bad"]) <= {"duplicate"}, session  # replayed by the mimic
    # The garbage came, and was counted.
    assert sent > 0.5 * datagrams * seconds
    assert opened > 0.5 * connections * seconds
    assert counted + kernel_drops > 0.9 * sent
    assert {"undecryptable", "unknown_ssrc", "discovery"} <= set(strangers["datagrams_dropped"])
    assert {"undecodable", "wrong_token"} <= set(strangers["messages_bad"])
    # The server is well.
    assert max(figures.rss) < MAX_RSS
    assert figures.late_growth() < MAX_LATE_GROWTH
    assert figures.files[-1] < figures.files[0] + 20
    assert figures.cpu < MAX_CPU


# -- the call ------------------------------------------------------------------------


async def soak(
    server: ServerProcess, figures: Figures, datagrams: int, connections: int
) -> dict[str, Counter[str]]:
    """Keep a call up while the garbage comes; return what the garbage's process says."""
    tap = Tap()
    call = partial(info, server.url, token=TOKEN)
    async with (
        connect(call(user_id=EARS), config=Config(receive_only=True)) as ears,
        connect(call(user_id=MOUTH), network=tap) as mouth,
        trio.open_nursery() as nursery,
    ):
        for voice in (ears, mouth):
            nursery.start_soon(note_events, voice, figures)
        nursery.start_soon(listen, ears, figures)
        await trio.sleep(0.2)
        nursery.start_soon(watch, server.pid, figures)
        nursery.start_soon(mimic, tap, server.udp_port, figures)
        began, used = time.monotonic(), cpu_seconds(server.pid)
        with trio.CancelScope() as playing:
            source = Numbered()
            playing_ended = trio.Event()

            async def play() -> None:
                await mouth.play(source)
                playing_ended.set()

            nursery.start_soon(play)
            garbage = await run_garbage(server, (mouth, ears), figures, datagrams, connections)
            figures.cpu = (cpu_seconds(server.pid) - used) / (time.monotonic() - began)
            await trio.sleep(1.0)  # what the garbage has left open ends
            source.ended = True
            await playing_ended.wait()
            figures.frames_sent = mouth.frames_played
            await trio.sleep(0.3)
            playing.cancel()
        nursery.cancel_scope.cancel()
    await trio.sleep(0.5)  # the server is to see that the clients have left, before it stops
    return garbage


async def run_garbage(
    server: ServerProcess,
    voices: tuple[Voice, Voice],
    figures: Figures,
    datagrams: int,
    connections: int,
) -> dict[str, Counter[str]]:
    flags = {
        "tcp": server.url.rpartition(":")[2],
        "udp": server.udp_port,
        "seconds": figures.seconds,
        "datagrams": datagrams,
        "connections": connections,
        "token": TOKEN,
        "server": GUILD,
        "channel": CHANNEL,
        "user": MOUTH,
        "session": f"session-{MOUTH}",
    }
    command = [sys.executable, "-m", "tests.soak.garbage"]
    command += [text for name, value in flags.items() for text in (f"--{name}", str(value))]
    for voice in voices:
        command += ["--ssrc", str(voice.connection.ssrc)]
    with trio.fail_after(figures.seconds + 60):
        done = await trio.run_process(
            command,
            capture_stdout=True,
            env=environment(),
            cwd=Path(__file__).parents[2],
            preexec_fn=partial(os.nice, 10),  # garbage takes no turn of the call's
        )
    answer: dict[str, Counter[str]] = json.loads(done.stdout)
    return answer


def packets(count: int) -> list[bytes]:
    """Opus packets of 20 ms, each different."""
    return [b"\xf8" + number.to_bytes(4, "big") * 20 for number in range(count)]


class Numbered:
    """A source without an end, until it is told."""

    def __init__(self) -> None:
        self.ended = False
        self._number = 0

    def read(self) -> bytes | None:
        if self.ended:
            return None
        self._number += 1
        return b"\xf8" + (self._number - 1).to_bytes(4, "big") * 20


async def listen(ears: Voice, figures: Figures) -> None:
    before = math.inf
    async for frame in ears.frames():
        if frame.user_id == MOUTH:
            figures.frames.append(frame.opus)
            figures.longest_gap = max(figures.longest_gap, frame.arrived - before)
            before = frame.arrived


async def note_events(voice: Voice, figures: Figures) -> None:
    async for event in voice.events():
        figures.events[type(event).__name__] += 1


class Tap(Network):
    """Keeps what the call has sent lately."""

    def __init__(self) -> None:
        self.recent: list[bytes] = []

    async def connect_datagrams(self, host: str, port: int) -> Datagrams:
        datagrams = await super().connect_datagrams(host, port)
        send = datagrams.send

        def tapped(data: bytes) -> bool:
            self.recent = [*self.recent[-19:], data]
            return send(data)

        datagrams.send = tapped  # type: ignore[method-assign]
        return datagrams


async def mimic(tap: Tap, port: int, figures: Figures) -> None:
    """Send the call's own datagrams from elsewhere: cut off, with flipped bits, and again."""
    random = Random(1)
    with socket(AF_INET, SOCK_DGRAM) as elsewhere:
        elsewhere.setblocking(False)
        while True:
            await trio.sleep(0.01)
            if not tap.recent:
                continue
            data = bytearray(random.choice(tap.recent))
            kind = random.choice(("truncated", "flipped", "flipped", "replayed"))
            if kind == "truncated":
                del data[random.randrange(len(data)) :]
            elif kind == "flipped":
                for _ in range(random.choice((1, 1, 2, 20))):
                    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            elsewhere.sendto(data, ("127.0.0.1", port))
            figures.mimicry[kind] += 1


# -- the server's process ---------------------------------------------------------------


async def watch(pid: int, figures: Figures) -> None:
    while True:
        figures.rss.append(resident(pid))
        figures.files.append(len(os.listdir(f"/proc/{pid}/fd")))
        await trio.sleep(1.0)


def resident(pid: int) -> int:
    """Memory in use, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kibibytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kibibytes) * 1024


def cpu_seconds(pid: int) -> float:
    """User and system time so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def dropped_by_kernel(port: int) -> int:
    """Datagrams that found the socket's buffer full: the last column of /proc/net/udp."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            return int(fields[-1])
    return 0
