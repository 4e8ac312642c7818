"""Other libraries in the same rounds: a worker process each, in an environment of its own.

A worker is a program that speaks JSON, one object a line, on stdin and stdout:

    it begins  {"peer": "discord.py", "version": "2.7.1", "work": ["seal/xchacha"],
                "lacks": {"seal/aes": "no AES-256-GCM"}}
    we         {"run": "seal/xchacha", "n": 1000}
    it         {"seconds": 0.00731}       or {"error": "what went wrong"}

It does the named work ``n`` times and says how long that took, preparations left out; stdin's
end ends it. `WORK` says what each name means. In Python, `bench.peer_worker.serve` does the
talking, and needs nothing but the standard library.

Before any of that each piece of work is tried once on data of ours, which it goes on to work
on, and a group is formed for what is end-to-end encrypted; `bench.peers.check` judges:

    we         {"check": "seal/xchacha", "data": "fc0001..."}
    it         {"result": "8078..."}
    we         {"op": 25, "data": "..."}        an MLS message of the voice gateway
    it         {"answers": [[26, "..."]]}

Which workers there are says `bench.peers.environments`: those of libraries that are installed
here, and those whose environments are in ``$VOICEKIT_BENCH_PEERS``, by default ``.bench-peers``
in the checkout.
"""

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .rounds import Work

__all__ = ["WORK", "Peer", "PeerFailed", "Peers", "peers_directory"]

#: Work that may be asked for. A packet holds 160 bytes of Opus: 20 ms at 64 kbit/s.
WORK = {
    "seal/aes": "one Opus packet to a datagram, AES-256-GCM",
    "seal/xchacha": "one Opus packet to a datagram, XChaCha20-Poly1305",
    "seal+dave/aes": "the same, encrypted end to end before",
    "seal+dave/xchacha": "the same, encrypted end to end before",
    "open/aes": "one datagram to an Opus packet and who sent it, AES-256-GCM",
    "open/xchacha": "one datagram to an Opus packet and who sent it, XChaCha20-Poly1305",
    "open+extension/aes": "the same of a datagram with an RTP header extension",
    "open+extension/xchacha": "the same of a datagram with an RTP header extension",
    "open+dave/aes": "the same, decrypted end to end behind",
    "open+dave/xchacha": "the same, decrypted end to end behind",
    "bare-seal/aes": "header and payload to a sealed packet: the cipher alone",
    "bare-seal/xchacha": "header and payload to a sealed packet: the cipher alone",
    "bare-open/aes": "a sealed packet to its payload: the cipher alone",
    "bare-open/xchacha": "a sealed packet to its payload: the cipher alone",
    "opus/encode": "20 ms of stereo music to a packet at 128 kbit/s",
    "opus/decode": "a packet of 128 kbit/s to 20 ms of stereo",
}


class PeerFailed(Exception):
    """A worker ended, or reported an error."""


class Peer:
    """One worker. Ends with its ``with`` block."""

    def __init__(self, command: list[str], cwd: Path | None = None) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd
        )
        self._command = command
        hello = self._read()
        self.name: str = hello["peer"]
        self.version: str = hello["version"]
        self.work: frozenset[str] = frozenset(hello["work"])
        #: Work that it can not do, and why.
        self.lacks: dict[str, str] = hello.get("lacks", {})

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, name: str, n: int) -> float:
        """Have it do the work ``n`` times; return its seconds. Raises `PeerFailed`."""
        return float(self._ask(run=name, n=n)["seconds"])

    def check(self, name: str, data: bytes) -> bytes:
        """Have it do the work once, and from now on, on ``data``; return what it made of it."""
        return bytes.fromhex(self._ask(check=name, data=data.hex())["result"])

    def receive(self, op: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Hand it an MLS message of the voice gateway; return its answers."""
        answers = self._ask(op=op, data=payload.hex())["answers"]
        return [(answer, bytes.fromhex(data)) for answer, data in answers]

    def _ask(self, **members: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(members) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise PeerFailed(f"{self} is gone: {error}") from None
        answer = self._read()
        if "error" in answer:
            what = members.get("run") or members.get("check") or f"op {members.get('op')}"
            raise PeerFailed(f"{self}, {what}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.close()
            raise PeerFailed(f"{' '.join(self._command)} said {line[:200]!r} and not JSON")
        return answer


class Peers:
    """The workers of a run, each started when it is first asked what it can do."""

    def __init__(self, commands: list[list[str]] | None = None, cwd: Path | None = None) -> None:
        self._commands = commands or []
        self._cwd = cwd
        self._started: list[Peer] | None = None
        #: Workers that could not be started, or failed: one line each.
        self.failures: list[str] = []

    @classmethod
    def found(cls, checkout: Path) -> "Peers":
        """Return those that can be started: their libraries or environments are there."""
        from .peers.environments import commands

        return cls(list(commands(peers_directory(checkout))), cwd=checkout)

    def doing(self, name: str) -> list[Peer]:
        """Return the peers that can do a piece of work."""
        assert name in WORK, name
        return [peer for peer in self.all() if name in peer.work]

    def lacking(self, name: str) -> dict[str, str]:
        """Return who can not do a piece of work, and why."""
        return {str(peer): peer.lacks[name] for peer in self.all() if name in peer.lacks}

    def work(self, name: str) -> dict[str, Work]:
        """Return a piece of work as every peer does it, by the peer's name and version."""
        return {
            str(peer): (lambda n, peer=peer: peer.run(name, n))  # type: ignore[misc]
            for peer in self.doing(name)
        }

    def versions(self) -> dict[str, str]:
        """Return the versions of those that were started."""
        return {peer.name: peer.version for peer in self._started or []}

    def close(self) -> None:
        """End all workers."""
        for peer in self._started or []:
            peer.close()
        self._started = None

    def all(self) -> list[Peer]:
        """Return all that could be started, with the work that they do right."""
        if self._started is None:
            self._started = []
            for command in self._commands:
                try:
                    peer = Peer(command, self._cwd)
                except (OSError, PeerFailed, KeyError) as error:
                    self.failures.append(f"{' '.join(command)}: {error}")
                    continue
                self._started.append(peer)
                self._check(peer)
        return self._started

    def _check(self, peer: Peer) -> None:
        from .peers.check import check

        wrong = check(peer)
        peer.work -= wrong.keys()
        self.failures += [f"{peer} is not measured at {name}: {why}" for name, why in wrong.items()]


def peers_directory(checkout: Path) -> Path:
    """Return where the peers' environments are."""
    return Path(os.environ.get("VOICEKIT_BENCH_PEERS") or checkout / ".bench-peers")
