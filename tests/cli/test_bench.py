"""`voicekit bench`: the suite of a checkout, and one line where there is none."""

from pathlib import Path

import pytest

from voicekit.cli.app import run


def test_outside_of_a_checkout_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("voicekit.cli.bench.ROOT", tmp_path)
    assert run(["bench", "seal", "--quick"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "pip install -e '.[all,bench]'" in printed.err


def test_another_package_called_bench_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__main__.py").write_text("raise SystemExit('not ours')")
    monkeypatch.setattr("voicekit.cli.bench.ROOT", tmp_path)
    assert run(["bench"]) == 1
    assert "checkout" in capsys.readouterr().err


def test_flags_are_those_of_the_suite(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(["bench", "--help"])
    assert "--quick" in capsys.readouterr().out


def test_its_exit_code_is_that_of_the_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "compare", "no-such-file", "neither"]) == 1
    assert "no-such-file" in capsys.readouterr().err
