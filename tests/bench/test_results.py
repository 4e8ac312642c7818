"""Rows, the file they are kept in, their budgets, and what changed between two files."""

import json
from pathlib import Path

import pytest

from bench.budgets import BUDGETS, LINES, judge
from bench.compare import compare
from bench.figures import figure
from bench.results import Row, load, save
from bench.rounds import Timing
from bench.table import HEAD, render

from .rows import row, run


def test_a_run_comes_back_from_its_file(tmp_path: Path):
    before = run(row(limit=100.0, points={"p50": 1.0}), row("peer", peer="x 1", ours=3.0))
    save(before, tmp_path / "run.json")
    assert load(tmp_path / "run.json") == before


def test_the_file_has_what_other_readers_need(tmp_path: Path):
    save(run(row(value=150.0, limit=100.0), row("bare")), tmp_path / "run.json")
    members = json.loads((tmp_path / "run.json").read_text())
    assert {"machine", "versions", "commit", "date", "rows", "schema"} <= set(members)
    first, second = members["rows"]
    assert (first["ratio"], first["difference"]) == (1.5, 50.0)
    assert "ratio" not in second


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "is no result"), ("{}", "is no result"), ("[1]", "is no result")],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, text: str, why: str):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=why):
        load(tmp_path / "x.json")


def test_another_schema_is_refused(tmp_path: Path):
    save(run(schema=99), tmp_path / "x.json")
    with pytest.raises(ValueError, match="schema 99"):
        load(tmp_path / "x.json")


def test_a_timing_becomes_a_row_in_its_unit():
    made = Row.timed(
        "seal", "x", Timing((2e-6, 3e-6, 4e-6)), "µs", limit=Timing((1e-6, 1e-6, 1e-6))
    )
    assert (made.value, made.median, made.limit) == pytest.approx((2.0, 3.0, 1.0))
    assert made.ratio == pytest.approx(2.0)


def test_the_ratio_of_a_peer_is_to_ours():
    assert row(value=70.0, limit=10.0, ours=7.0, peer="x 1").ratio == 10.0


# -- budgets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "members", "text"),
    [
        ("seal_audio", {"value": 190.0, "limit": 100.0}, "met"),
        ("seal_audio", {"value": 200.0, "limit": 100.0}, "missed by 10 ns"),
        ("opus decode", {"value": 11.0, "limit": 10.0, "unit": "µs"}, "met"),
        ("opus decode", {"value": 12.0, "limit": 10.0, "unit": "µs"}, "missed by 1 µs"),
        ("discord.py aes", {"value": 300.0, "ours": 10.0}, "met"),
        ("discord.py aes", {"value": 290.0, "ours": 10.0}, "missed by 10 ns"),
        ("pacing p99", {"value": 0.9, "unit": "ms"}, "met"),
        ("pacing p99", {"value": 1.5, "unit": "ms"}, "missed by 0.50 ms"),
        ("calls send", {"value": 2500.0, "unit": "calls"}, "met"),
        ("calls send", {"value": 1500.0, "unit": "calls"}, "missed by 500 calls"),
    ],
)
def test_a_budget_is_met_or_missed_by_so_much(budget: str, members: dict[str, object], text: str):
    verdict = judge(row(budget=budget, **members))
    assert verdict is not None
    assert verdict.text == text
    assert verdict.met == (text == "met")


def test_without_what_it_is_compared_with_there_is_no_verdict():
    assert judge(row(budget="seal_audio")) is None
    assert judge(row()) is None


def test_a_budget_in_another_unit_is_an_error():
    with pytest.raises(ValueError, match="its budget in ns"):
        judge(row(budget="seal_audio", unit="µs", limit=1.0))


def test_no_two_lines_share_a_budget():
    assert len(BUDGETS) == sum(len(line.budgets) for line in LINES)


# -- tables --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12\u202f346"), (2.0, "2")],
)
def test_a_figure_has_three_digits_that_mean_something(value: float, text: str):
    assert figure(value) == text


def test_the_limit_stands_beside_each_figure():
    text = render("seal", [row("ours", 150.0, limit=100.0, limit_name="C: a loop")])
    head, _, line = text.splitlines()
    assert [name for name in HEAD[1:] if name not in head] == []
    assert {"ours", "150", "100", "1.50×", "+50"} <= set(line.split())
    assert line.endswith("C: a loop")


def test_percentiles_are_told_beside_the_row():
    late = row("late", 0.4, unit="ms", points={"p50": 0.1, "p99": 0.4, "max": 2.0})
    assert render("pacing", [late]).endswith("p50 0.10, p99 0.40, max 2")


# -- comparing -------------------------------------------------------------------------------


def test_what_became_worse_comes_first():
    a = run(row("same", 100.0), row("worse", 100.0), row("better", 100.0))
    b = run(row("same", 101.0), row("worse", 150.0), row("better", 50.0))
    lines = compare(a, b).splitlines()[-3:]
    assert [line.split()[1] for line in lines] == ["worse", "same", "better"]
    assert [line.split()[-1] for line in lines] == ["worse", "+1.0%", "better"]


def test_a_change_within_the_spread_is_nothing():
    text = compare(run(row(value=100.0, spread=0.3)), run(row(value=120.0)))
    assert "worse" not in text


def test_fewer_is_worse_where_more_is_better():
    a, b = (run(row("calls", value, higher_is_better=True)) for value in (2000.0, 1000.0))
    assert compare(a, b).splitlines()[-1].endswith("worse")


def test_a_comparison_names_what_else_differs():
    a, b = run(row(), versions={"Python": "3.11.7"}), run(row(), versions={"Python": "3.12.1"})
    assert "differs: Python: 3.11.7 and 3.12.1" in compare(a, b)


def test_rows_of_one_run_only_are_named():
    text = compare(run(row("old")), run(row("new")))
    assert "only in A: seal: old" in text
    assert "only in B: seal: new" in text


def test_a_peer_is_itself_in_another_version():
    a = run(row("x", peer="discord.py 2.6", ours=1.0))
    b = run(row("x", peer="discord.py 2.7", ours=1.0))
    assert "only in" not in compare(a, b)
