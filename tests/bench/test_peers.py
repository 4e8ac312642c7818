"""Workers of other libraries: the talk with them, and the check that they do what we do."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.options import CHECKOUT
from bench.peer_process import WORK, Peer, PeerFailed, Peers
from bench.peers import environments
from bench.peers.group import Group
from bench.peers.workers.codec import Frames, joined, split
from bench.peers.workers.davey_member import DaveyMember

#: A worker over voicekit's own cipher, with one kind of work that goes wrong in each way.
WORKER = """
from bench.peer_worker import HEADER, KEY, Task, serve
from voicekit._crypto import TransportCipher

def cipher():
    return TransportCipher("aead_xchacha20_poly1305_rtpsize", KEY)

serve(
    "itself", "1.0",
    {
        "bare-seal/xchacha": Task("seal(header, data)", seal=cipher().seal, header=HEADER),
        "bare-open/xchacha": Task("open(data, 12)", open=cipher().open),
        "open/xchacha": Task("data[12:]"),
        "seal/xchacha": Task("1 / 0"),
    },
    {"seal/aes": "no reason"},
)
"""


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[Peers]:
    worker = tmp_path / "worker.py"
    worker.write_text(f"import sys\nsys.path.insert(0, {str(CHECKOUT)!r})\n{WORKER}")
    made = Peers([[sys.executable, str(worker)]])
    yield made
    made.close()


def test_a_peer_is_measured_at_what_voicekit_understands(peers):
    (peer,) = peers.all()
    assert str(peer) == "itself 1.0"
    assert peer.work == {"bare-seal/xchacha", "bare-open/xchacha"}
    assert peers.lacking("seal/aes") == {"itself 1.0": "no reason"}
    for name in peer.work:
        assert peers.work(name)["itself 1.0"](10) > 0


def test_what_it_does_wrong_is_told(peers):
    peers.all()
    told = "\n".join(peers.failures)
    assert "not measured at open/xchacha: voicekit does not get the same" in told
    assert "not measured at seal/xchacha: itself 1.0, seal/xchacha: ZeroDivisionError" in told


def test_a_worker_that_says_no_json_is_left_out():
    peers = Peers([[sys.executable, "-c", "print('hello')"]])
    assert peers.all() == []
    assert "said 'hello\\n' and not JSON" in peers.failures[0]


def test_a_worker_that_dies_is_a_failure_and_no_hang():
    hello = json.dumps({"peer": "x", "version": "1", "work": ["seal/aes"]})
    with (
        Peer([sys.executable, "-c", f"print({hello!r})"]) as peer,
        pytest.raises(PeerFailed, match=r"x 1 is gone|not JSON"),
    ):
        peer.run("seal/aes", 1)


def test_the_workers_of_installed_libraries_say_what_they_can(peers):
    """And voicekit agrees with all of it: no failure."""
    commands = [command for command in environments.commands(Path("nowhere")) if command]
    found = Peers(commands, cwd=CHECKOUT)
    try:
        names = {peer.name: peer.work for peer in found.all()}
    finally:
        found.close()
    assert found.failures == []
    assert names.keys() == {"PyNaCl", "cryptography", "opuslib", "PyAV"}
    assert all(names.values())
    assert set().union(*names.values()) <= WORK.keys()


def test_an_environment_of_other_versions_is_not_used(tmp_path, monkeypatch):
    peer = environments.Peer("x", "x", "folder", ("x==2",))
    monkeypatch.setattr(environments, "PEERS", (peer,))
    (tmp_path / "folder").mkdir()
    complete = tmp_path / "folder" / "complete"
    complete.write_text(json.dumps([sys.version, "x==1"]))
    assert list(environments.commands(tmp_path)) == []
    complete.write_text(json.dumps([sys.version, "x==2"]))
    (command,) = environments.commands(tmp_path)
    assert command[1:] == ["-m", "bench.peers.workers.x"]
    assert command[0].startswith(str(tmp_path / "folder"))


def test_a_peers_frames_are_decrypted_in_a_group_of_two():
    member, sessions = DaveyMember(), []
    member.tell = sessions.append
    group = Group(member.receive)
    opus = b"\xfc" + bytes(range(159))
    frame = sessions[0].encrypt_opus(opus)
    assert frame != opus
    assert group.decrypt(frame) == opus


def test_a_peer_without_answers_is_in_no_group():
    with pytest.raises(RuntimeError, match="no group"):
        Group(lambda op, payload: [])


def test_a_codec_goes_through_all_frames():
    frames = [b"", b"a", bytes(3840)]
    assert split(joined(frames)) == frames
    done: list[bytes] = []

    def make():
        return lambda frame: done.append(frame) or frame * 2

    work = Frames(make)
    assert split(work.check(joined(frames))) == [b"", b"aa", bytes(7680)]
    done.clear()
    assert work.run(6) > 0
    assert done == frames * 2
