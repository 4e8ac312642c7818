"""Hostile input on a build with sanitizers: 10⁵ inputs here, 10⁷ + 10⁶ by ``-m nightly``."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import sanitized

pytestmark = pytest.mark.skipif(sanitized.libasan() is None, reason="no gcc with libasan here")

#: Copies one byte out of a buffer of 100, at an index given.
PROBE = """
import ctypes
from tests.fuzz.mutate import exactly
start = ctypes.addressof(ctypes.c_ubyte.from_buffer(data := exactly(bytes(100))))
ctypes.memmove(ctypes.create_string_buffer(1), start + {at}, 1)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sanitized build, seen to notice a read of one byte behind a datagram."""
    library = sanitized.build(tmp_path_factory.mktemp("sanitized"))
    inside = sanitized.run(library, "-c", PROBE.format(at=99), timeout=60)
    assert inside.returncode == 0, inside.stderr
    behind = sanitized.run(library, "-c", PROBE.format(at=100), timeout=60)
    assert behind.returncode == sanitized.FOUND
    assert "heap-buffer-overflow" in behind.stderr
    return library


def fuzz(library: Path, datagrams: int, messages: int, *, timeout: float) -> dict[str, Any]:
    arguments = ["-m", "tests.fuzz", "--datagrams", str(datagrams), "--messages", str(messages)]
    run = sanitized.run(library, *arguments, timeout=timeout)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-8000:]
    report: dict[str, Any] = json.loads(run.stdout)
    print(json.dumps(report, indent=1))
    assert report["sanitized"]
    assert Path(report["module"]).is_relative_to(library)
    return report


@pytest.mark.slow
def test_no_input_breaks_memory_the_contract_or_the_reference(library: Path) -> None:
    report = fuzz(library, datagrams=50_000, messages=50_000, timeout=900)
    seen = report["counts"]["datagrams"]
    # A generator that no longer gets past the authentication would find nothing.
    for verdict in ("audio", "rtcp", "bad_tag", "bad_extension", "bad_padding", "bad_header"):
        assert seen[verdict] > 100, verdict
    messages = report["counts"]["messages"]
    for verdict in ("refused", "decoded", "client: OPEN", "client: RESUMING", "client: violations"):
        assert messages[verdict] > 500, verdict


@pytest.mark.nightly
def test_ten_million_datagrams_and_a_million_messages(
    library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        fuzz(library, datagrams=10_000_000, messages=1_000_000, timeout=12 * 3600)
