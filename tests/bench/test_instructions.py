"""The gate on instructions per packet: what it compares, with what, and when it fails."""

import shutil
import subprocess
from pathlib import Path

import pytest

import voicekit
from bench.instructions import __main__ as gate
from bench.instructions.compare import Verdict, compare, is_slower, table
from bench.instructions.count import count
from bench.instructions.trees import TreeFailed, copy_checkout, copy_commit, find_base, is_same

BASE = {"seal": 1000.0, "open": 2000.0}


def verdicts(head: dict[str, float], base: dict[str, float] = BASE) -> list[Verdict]:
    return [change.verdict for change in compare(base, head)]


def test_two_percent_more_pass():
    changes = compare(BASE, {"seal": 1020.0, "open": 2040.0})
    assert [change.verdict for change in changes] == [Verdict.SAME, Verdict.SAME]
    assert not is_slower(changes)


def test_four_percent_more_in_one_task_fail():
    changes = compare(BASE, {"seal": 1040.0, "open": 2000.0})
    assert [change.verdict for change in changes] == [Verdict.SLOWER, Verdict.SAME]
    assert is_slower(changes)
    assert "+4.0 %  SLOWER" in table(changes)


def test_what_one_task_saves_does_not_pay_for_another():
    assert verdicts({"seal": 1040.0, "open": 1000.0}) == [Verdict.SLOWER, Verdict.FASTER]


def test_the_slack_is_what_was_asked_for():
    assert not is_slower(compare(BASE, {"seal": 1040.0, "open": 2000.0}, slack=5))


def test_a_new_task_is_shown_and_not_compared():
    changes = compare(BASE, {**BASE, "seal_many": 10.0})
    assert [change.verdict for change in changes][-1] == Verdict.NEW
    assert not is_slower(changes)


def test_a_task_that_is_gone_fails():
    assert verdicts({"seal": 1000.0}) == [Verdict.SAME, Verdict.GONE]
    assert is_slower(compare(BASE, {"seal": 1000.0}))


def test_nothing_to_compare_fails():
    assert is_slower(compare({}, BASE))
    assert is_slower(compare({}, {}))


# -- what is compared -----------------------------------------------------------


class Checkout:
    """A small git repository in the shape of this one."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.git("init", "-q", "-b", "main")
        (top / "voicekit").mkdir()
        (top / "setup.py").write_text("")
        self.commit("first")

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=self.top, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, text: str) -> None:
        (self.top / "voicekit" / "_rtp.pyx").write_text(text)

    def commit(self, text: str) -> str:
        self.write(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    # Neither the settings of whoever runs this, nor a repository around it.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    (tmp_path / "repository").mkdir()
    return Checkout(tmp_path / "repository")


def test_on_the_default_branch_the_base_is_the_commit_before(checkout):
    before = checkout.git("rev-parse", "HEAD")
    checkout.commit("second")
    assert find_base(checkout.top, None) == before


def test_with_uncommitted_changes_there_the_base_is_head(checkout):
    head = checkout.commit("second")
    checkout.write("third")
    assert find_base(checkout.top, None) == head


def test_on_a_branch_the_base_is_where_it_began(checkout):
    began = checkout.commit("second")
    checkout.git("checkout", "-q", "-b", "branch")
    checkout.commit("third")
    checkout.commit("fourth")
    assert find_base(checkout.top, None) == began


def test_a_commit_may_be_named(checkout):
    first = checkout.git("rev-parse", "HEAD")
    checkout.commit("second")
    checkout.commit("third")
    assert find_base(checkout.top, "HEAD~2") == first
    with pytest.raises(TreeFailed, match="no commit 'nowhere'"):
        find_base(checkout.top, "nowhere")


def test_a_checkout_without_history_needs_a_name(checkout):
    with pytest.raises(TreeFailed, match="no parent here"):
        find_base(checkout.top, None)


def test_a_commit_and_a_checkout_of_it_are_the_same_until_a_file_changes(checkout, tmp_path):
    def copied(name: str) -> bool:
        (tmp_path / name).mkdir()
        base, head = tmp_path / name / "base", tmp_path / name / "head"
        copy_commit(checkout.top, "HEAD", base)
        copy_checkout(checkout.top, head)
        return is_same(base, head)

    assert copied("as committed")
    (checkout.top / "README.md").write_text("no code")
    assert copied("with another readme")
    (checkout.top / "voicekit" / "new.py").write_text("")  # git has not heard of it
    assert not copied("with a new file")


# -- the command ----------------------------------------------------------------


def test_without_valgrind_it_fails_with_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VOICEKIT_SKIP_INSTRUCTIONS", raising=False)
    assert gate.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("instructions: valgrind is not installed")
    assert err.count("\n") == 1


@pytest.mark.parametrize("by", ["flag", "environment"])
def test_it_is_skipped_when_told(by, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("VOICEKIT_SKIP_INSTRUCTIONS", "1" if by == "environment" else "0")
    assert gate.main(["--skip"] if by == "flag" else []) == 0
    assert "skipped" in capsys.readouterr().out


@pytest.mark.nightly
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_two_counts_of_one_tree_differ_by_less_than_a_packet_matters(tmp_path):
    """Ten seconds each: the gate itself counts on each run of CI."""
    if not list(gate.TOP.glob("voicekit/_rtp.*.so")):
        pytest.skip("the extension modules are not built in place")
    assert Path(voicekit.__file__).is_relative_to(gate.TOP)
    one, other = (count(gate.TOP, tmp_path / name) for name in ("one", "other"))
    assert min(one.values()) > 500  # of AES alone, with no Python around it
    assert other == pytest.approx(one, rel=0.001)
