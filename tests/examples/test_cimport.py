"""Another package's Cython builds against voicekit's .pxd files, and works."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from voicekit import RtpSession, available_modes

from .loading import EXAMPLES

ROOT = Path(__file__).parents[2]
MODE = available_modes()[0]


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    folder = tmp_path_factory.mktemp("cimport")
    for name in ("relay.pyx", "setup.py"):
        shutil.copy(EXAMPLES / "cimport" / name, folder / name)
    built = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CFLAGS": "-O0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr
    (path,) = (each for each in folder.iterdir() if each.suffix in (".so", ".pyd"))
    spec = importlib.util.spec_from_file_location("relay", path)
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def session(ssrc: int, key: int) -> RtpSession:
    session = RtpSession(ssrc=ssrc)
    session.set_key(MODE, bytes([key]) * 32, nonce_start=ssrc << 16)
    return session


def test_packets_go_from_one_call_into_another(relay: ModuleType) -> None:
    alice, relay_here = session(1, key=1), session(2, key=1)
    relay_there, bob = session(3, key=2), session(4, key=2)
    relay_here.map_ssrc(1, 7, 0.0)
    bob.map_ssrc(3, 8, 0.0)
    packets = [b"\xfc" + bytes([n]) * 80 for n in range(5)]
    sent = alice.seal_many(packets, 0.0)
    relayed = relay.relay(relay_here, relay_there, [*sent, b"noise"], 0.0)
    assert [frame.opus for frame in bob.receive_many(relayed, 0.0)] == packets
    assert relay_here.drops == {"too_short": 1}
