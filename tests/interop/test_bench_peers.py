"""The libraries that benchmarks run beside ours: installed from scratch, each does what we do."""

import shutil
from pathlib import Path

import pytest

from bench.options import CHECKOUT
from bench.peer_process import Peers
from bench.peers.environments import commands, make

pytestmark = pytest.mark.interop

SEALS = {"seal/xchacha", "seal+dave/xchacha"}
OPENS = {"open/xchacha", "open+extension/xchacha"}
BOTH = {name.replace("xchacha", cipher) for name in SEALS | OPENS for cipher in ("aes", "xchacha")}
EXPECTED = {
    "discord.py": SEALS,
    "py-cord": SEALS,
    "discord-ext-voice-recv": OPENS,
    "@discordjs/voice": BOTH,
}


@pytest.mark.skipif(not shutil.which("npm"), reason="one of them is installed by npm")
def test_every_library_is_installed_and_agrees_with_voicekit(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = getattr(request.config, "cache", None)  # absent under -p no:cacheprovider
    folder: Path = tmp_path_factory.mktemp("peers") if cache is None else cache.mkdir("bench-peers")
    said: list[str] = []
    if not make(folder, said.append):
        pytest.skip(f"not all can be installed here: {'; '.join(said)}")
    peers = Peers(list(commands(folder)), cwd=CHECKOUT)
    try:
        found = {peer.name: set(peer.work) for peer in peers.all()}
    finally:
        peers.close()
    assert peers.failures == []
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED
