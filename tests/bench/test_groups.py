"""Each group runs, with the fewest rounds that there can be; the figures are not looked at."""

from collections.abc import Iterator

import pytest

from bench.__main__ import main, run_groups
from bench.budgets import BUDGETS, judge
from bench.groups import NotHere, load
from bench.options import Options
from bench.peer_process import Peers
from bench.results import Row
from bench.results import load as load_run
from voicekit._crypto import MODES, available_modes

#: Two rounds of next to nothing. The rest of the groups have tests of their own.
TINY = Options(quick=True, rounds=2, round_seconds=1e-5, duration=0.1)

EXPECTED = {
    "seal": {"VoiceConnection.seal_audio", "TransportCipher.seal", "VoiceConnection.seal_many"},
    "open": {"VoiceConnection.open_datagram", "TransportCipher.open", "VoiceConnection.open_many"},
    "dave": {"a frame encrypted, dave.py", "a frame decrypted, dave.py"},
    "gateway": {"a message decoded", "a handshake"},
    "udp": {"the trio runner, bursts of 64", "asyncio, DatagramProtocol"},
    "recording": {"in turns", "all at once"},
    "import": {"import voicekit", "import voicekit: modules"},
}


@pytest.mark.parametrize("group", EXPECTED)
def test_a_group_yields_rows_that_can_be_shown(group: str):
    rows = list(load(group)(TINY))
    for row in rows:
        assert row.group == group
        assert row.value > 0
        assert row.limit is None or row.limit > 0
        assert row.limit is None or row.limit_name
        assert not row.budget or judge(row) is not None
    assert len({row.key for row in rows}) == len(rows)
    missing = {what for what in EXPECTED[group] if not any(what in row.name for row in rows)}
    assert not missing


@pytest.mark.skipif(MODES[0] not in available_modes(), reason="no AES-GCM here")
def test_the_budgets_of_packets_are_all_asked_for():
    rows = [row for group in ("seal", "open", "udp") for row in load(group)(TINY)]
    expected = {"seal_audio", "bare seal", "seal_many", "bare open", "open_datagram", "datagram"}
    assert {row.budget for row in rows} - {""} == expected
    assert expected <= set(BUDGETS)


def test_a_group_that_fails_ends_no_other(monkeypatch: pytest.MonkeyPatch, capsys):
    def failing(options: Options) -> Iterator[Row]:
        yield Row("seal", "before", 1.0, "ns")
        raise RuntimeError("broken")

    def fine(options: Options) -> Iterator[Row]:
        yield Row("dave", "after", 1.0, "ns")

    def missing(name: str):
        raise NotHere("node is missing")

    groups = {"seal": lambda: failing, "open": lambda: missing("open"), "dave": lambda: fine}
    monkeypatch.setattr("bench.__main__.load", lambda name: groups[name]())
    run = run_groups(["seal", "open", "dave"], Options())
    assert [row.name for row in run.rows] == ["before", "after"]
    assert run.skipped == {"seal": "failed: RuntimeError: broken", "open": "node is missing"}
    assert "node is missing" in capsys.readouterr().out


def test_a_run_leaves_json_and_plots(tmp_path, capsys):
    file, plots = tmp_path / "made" / "run.json", tmp_path / "plots"
    arguments = ["gateway", "--quick", "--rounds", "2", "--no-peers"]
    assert main([*arguments, "--json", str(file), "--plots", str(plots)]) == 0
    run = load_run(file)
    assert run.quick
    assert list(run.groups) == ["gateway"]
    assert run.versions["Python"]
    assert "cpu" in run.machine
    assert (plots / "gateway.svg").is_file()
    assert main(["compare", str(file), str(file)]) == 0
    assert "gateway: a message decoded" in capsys.readouterr().out


def test_an_unknown_group_is_named(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["gatway"])
    assert "'gatway' is none of seal, open," in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_group_without_its_library_says_so(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str):
        raise ImportError("no", name="trio")

    monkeypatch.setattr("bench.groups.import_module", missing)
    with pytest.raises(NotHere, match="trio is missing"):
        load("udp")


def test_a_run_names_no_peers_without_any():
    assert Peers([]).versions() == {}
