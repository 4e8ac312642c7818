"""The pages made from the tables say what the tables say."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from voicekit.close_codes import CLOSE_CODES
from voicekit.gateway_states import GatewayState

DOCS = Path(__file__).resolve().parents[2] / "docs"


GENERATE: dict[str, Any] = runpy.run_path(str(DOCS / "generate.py"))


@pytest.mark.parametrize("name", GENERATE["PAGES"])
def test_a_page_is_up_to_date(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert text == GENERATE["PAGES"][name](), "run python docs/generate.py"


def test_every_close_code_is_on_its_page() -> None:
    page = GENERATE["close_codes"]()
    for code, row in CLOSE_CODES.items():
        assert f"| {code} | `{row.name}` | `{row.policy}` |" in page


def test_every_state_is_explained() -> None:
    assert list(GENERATE["state_meanings"]()) == list(GatewayState)
