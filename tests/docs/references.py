"""What pages say about tests, looked up: rows of tables, and ``tests/file.py::name`` in them."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows_of(page: str) -> list[list[str]]:
    """Return the cells of all table rows of a page of the documentation, without the headings."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = []
    for before, line in zip(["", *text.splitlines()], [*text.splitlines(), ""], strict=True):
        heading = line.startswith("| ---")
        if heading and rows:
            rows.pop()
        elif line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        assert not (heading and not before.startswith("|")), f"{page}: a table without a heading"
    return rows


@cache
def functions_of(file: str) -> dict[str, str]:
    """Return the source of each test of a file, with its decorators."""
    text = (ROOT / file).read_text(encoding="utf-8")
    lines = text.splitlines()
    functions = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            functions[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return functions


def missing_tests(page: str) -> list[str]:
    """Return what a page refers to and is not there."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [
        f"{file}::{name}"
        for file, name in REFERENCE.findall(text)
        if not (ROOT / file).is_file() or name not in functions_of(file)
    ]
