"""Which peers there are, and an environment for each that voicekit does not bring along."""

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PEERS", "EnvironmentFailed", "Peer", "commands", "make"]

WORKERS = Path(__file__).with_name("workers")
INSTALL_TIMEOUT = 600


@dataclass(frozen=True)
class Peer:
    """A library and its worker: a module of `workers`, or a program for node.

    ``environment`` is the folder of its virtual environment, which peers with the same
    requirements share; empty: the interpreter that runs us, where ``module`` says if it is there.
    """

    name: str
    worker: str
    environment: str = ""
    requirements: tuple[str, ...] = ()
    module: str = ""


#: Pinned: figures of two runs are of the same code. discord.py itself pins PyNaCl < 1.6.
_DISCORDPY = ("discord.py[voice]==2.7.1", "discord-ext-voice-recv==0.5.2a179")

#: The last five are libraries of voicekit's own, called as everybody calls them.
PEERS = (
    Peer("discord.py", "discordpy", "discordpy", _DISCORDPY),
    Peer("discord-ext-voice-recv", "voice_recv", "discordpy", _DISCORDPY),
    Peer("py-cord", "pycord", "pycord", ("py-cord[voice]==2.8.1",)),
    # Its newest asks for node 22, which npm can bring. For XChaCha20 it takes one of several
    # libraries; it imports sodium-native and libsodium-wrappers in a way that finds nothing.
    Peer(
        "@discordjs/voice",
        "discordjs.cjs",
        "discordjs",
        ("@discordjs/voice@0.19.2", "@noble/ciphers@2.4.0", "node@22"),
    ),
    Peer("PyNaCl", "pynacl_aead", module="nacl"),
    Peer("cryptography", "cryptography_aead", module="cryptography"),
    Peer("opuslib", "opuslib_codec", module="opuslib"),
    Peer("PyAV", "pyav_codec", module="av"),
)


class EnvironmentFailed(Exception):
    """An environment could not be made; the text says why, in one line."""


def commands(directory: Path) -> Iterator[list[str]]:
    """Return the command lines of the workers that can be started now."""
    for peer in PEERS:
        folder = directory / peer.environment
        if peer.environment and not _is_made(folder, peer):
            continue
        if peer.module and find_spec(peer.module) is None:
            continue
        if _is_node(peer):
            yield [str(folder / "node_modules/.bin/node"), str(WORKERS / peer.worker), str(folder)]
        else:
            python = str(_python(folder)) if peer.environment else sys.executable
            yield [python, "-m", f"bench.peers.workers.{peer.worker}"]


def make(directory: Path, say: Callable[[str], None] = print) -> bool:
    """Make every environment that is missing or of other versions; False: some failed."""
    complete = True
    for folder, peer in {peer.environment: peer for peer in PEERS if peer.environment}.items():
        if _is_made(directory / folder, peer):
            say(f"{folder}: there")
            continue
        try:
            (_make_node if _is_node(peer) else _make_python)(directory / folder, peer)
            say(f"{folder}: made, with {', '.join(peer.requirements)}")
        except EnvironmentFailed as error:
            complete = False
            say(f"{folder}: {error}")
    return complete


def _is_node(peer: Peer) -> bool:
    return peer.worker.endswith(".cjs")


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _wanted(peer: Peer) -> str:
    return json.dumps([sys.version, *peer.requirements])


def _is_made(folder: Path, peer: Peer) -> bool:
    """Whether it was made to the end, by this interpreter, with these versions."""
    complete = folder / "complete"
    return complete.is_file() and complete.read_text() == _wanted(peer)


def _make_python(folder: Path, peer: Peer) -> None:
    venv.create(folder, clear=True, with_pip=True)
    _run([str(_python(folder)), "-m", "pip", "install", "-q", *peer.requirements], folder)
    (folder / "complete").write_text(_wanted(peer))


def _make_node(folder: Path, peer: Peer) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise EnvironmentFailed("npm is not installed")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "package.json").write_text("{}")
    _run([npm, "install", "--no-audit", "--no-fund", *peer.requirements], folder)
    (folder / "complete").write_text(_wanted(peer))


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFailed(f"installing took more than {INSTALL_TIMEOUT} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing was said"]
        raise EnvironmentFailed(said[-1])
