"""Rows and runs that tests make up."""

from typing import Any

from bench.results import Row, Run


def row(name: str = "seal", value: float = 150.0, **members: Any) -> Row:
    return Row("seal", name, value, members.pop("unit", "ns"), **members)


def run(*rows: Row, **members: Any) -> Run:
    defaults: dict[str, Any] = {
        "machine": {"cpu": "A Processor", "cores": "2", "system": "Linux", "kernel": "6.1"},
        "versions": {"Python": "3.11.7"},
        "commit": "abc",
        "date": "2026-11-21",
        "quick": False,
        "groups": {"seal": 1.0},
    }
    return Run(rows=list(rows), **(defaults | members))
