"""The page's figures and plots are generated: nobody types them."""

from pathlib import Path

import pytest

from bench.budgets import LINES
from bench.options import CHECKOUT
from bench.plots import draw
from bench.report import MARKS, blocks, write

from .rows import row, run

PAGE = CHECKOUT / "docs" / "performance.md"
RUN = run(
    row("AES: VoiceConnection.seal_audio", 170.0, limit=100.0, budget="seal_audio"),
    row("AES: a packet", 7000.0, ours=170.0, peer="discord.py 2.7", budget="discord.py aes"),
)


def test_every_line_of_the_budget_is_there_measured_or_not():
    table = blocks(RUN)["budget"]
    assert [line.what for line in LINES if line.what not in table] == []
    assert "| 170 ns | 100 ns | 1.70× | +70 ns | met |" in table
    assert "| 7\u202f000 ns | 170 ns |" in table
    assert table.count("not measured") == len(LINES) - 2


def test_the_page_says_on_what_it_was_measured():
    text = blocks(RUN)["machine"]
    assert "A Processor, 2 cores, Linux 6.1, 2026-11-21, commit abc" in text
    assert "Python 3.11.7" in text


def test_a_page_is_written_anew_between_its_marks(tmp_path: Path):
    page = tmp_path / "page.md"
    marks = [mark.format(name) for name in blocks(RUN) for mark in MARKS]
    page.write_text("\n".join(["before", *marks, "after"]) + "\n")
    write(RUN, page)
    once = page.read_text()
    write(RUN, page)
    assert page.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "VoiceConnection.seal_audio" in once


def test_a_page_without_marks_is_refused(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="lacks the line"):
        write(RUN, page)


def test_the_page_of_the_documentation_can_be_written(tmp_path: Path):
    copy = tmp_path / "performance.md"
    copy.write_text(PAGE.read_text())
    write(RUN, copy)


def test_every_plot_of_the_page_is_there():
    named = [part.partition(")")[0] for part in PAGE.read_text().split("](plots/")[1:]]
    assert [name for name in named if not (PAGE.parent / "plots" / name).is_file()] == []


def test_plots_are_the_same_for_the_same_figures(tmp_path: Path):
    drawn = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (path,) = draw(RUN, tmp_path / name)
        drawn.append(path.read_text())
    assert drawn[0] == drawn[1]
    assert "discord.py 2.7" in drawn[0]


def test_lateness_is_drawn_by_its_percentiles(tmp_path: Path):
    late = row("1000 streams", 0.4, unit="ms", points={"p50": 0.1, "p99": 0.4, "max": 2.0})
    late = type(late)("pacing", late.name, late.value, "ms", points=late.points)
    (path,) = draw(run(late), tmp_path)
    assert "p99" in path.read_text()
