"""docs/embedding.md: what to do with every output and event, and of examples the truth."""

import re
from pathlib import Path
from typing import get_args

import pytest

import voicekit
from voicekit import events, gateway_events, outputs, registry_events
from voicekit.gateway_events import GatewayEvent
from voicekit.join import JoinOutput

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")

#: The first cell of each row of a table, without its head.
ROWS = re.findall(r"^\| (`[A-Z].*?) \|(.*)\|$", PAGE, re.MULTILINE)


def rows_of(name: str) -> list[str]:
    return [rest for first, rest in ROWS if re.search(rf"`{name}[(`]", first)]


#: Every one of the core's, once, in an order of its own: workers of one run must agree on it.
KINDS = sorted(
    {*get_args(outputs.Output), *get_args(events.Event), *get_args(GatewayEvent)}
    | set(get_args(registry_events.RegistryEvent)),
    key=lambda kind: str(kind.__name__),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_output_and_event_has_a_row_that_says_what_to_do(kind: type) -> None:
    (row,) = rows_of(kind.__name__)
    assert all(cell.strip() for cell in row.split("|"))


def test_every_row_is_of_something_that_exists() -> None:
    homes = (outputs, events, registry_events, gateway_events, voicekit)
    for first, _ in ROWS:
        for name in re.findall(r"`([A-Z]\w+)[(`]", first):
            assert any(hasattr(home, name) for home in homes) or name in OTHERS, name


#: Words in first cells that are no output, event or public name of the core.
OTHERS = {"Voice", "Stream"}


@pytest.mark.parametrize("kind", get_args(JoinOutput), ids=lambda kind: kind.__name__)
def test_the_page_names_every_output_of_a_join(kind: type) -> None:
    assert kind.__name__ in PAGE


def test_every_example_is_named_and_exists() -> None:
    linked = set(re.findall(r"\(\.\./examples/([\w/.]+)\)", PAGE))
    assert all((ROOT / "examples" / each).exists() for each in linked)
    embedding = {"asyncio_driver", "selectors_loop", "trio_host", "thread_driver", "gateway_only"}
    embedding |= {"ip_discovery", "rtp_session"}
    assert {f"{name}.py" for name in embedding} | {"cimport/relay.pyx"} <= linked


def test_every_example_is_run_by_a_test() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for path in [*(ROOT / "examples").glob("*.py"), *(ROOT / "examples").glob("*/*.pyx")]:
        assert re.search(rf"\b{path.stem}\b", tests), path.name
