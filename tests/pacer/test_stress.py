"""Everything at once, and the same on a build with ThreadSanitizer."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fuzz import sanitized

from .rig import NAMES, PACERS

ROOT = Path(__file__).parents[2]
KINDS = [NAMES[native] for native in PACERS]
#: Exit code of a process in which ThreadSanitizer found something.
FOUND = 66

#: What it has to find: two threads that count in one variable.
RACE = "int n; void race(void) { for (int i = 0; i < 10000000; i++) n++; }"
PROBE = """
import ctypes, sys, threading
work = [threading.Thread(target=ctypes.CDLL(sys.argv[1]).race) for _ in range(2)]
for thread in work: thread.start()
for thread in work: thread.join()
"""


def run(
    *arguments: str, before: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-P", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_call_at_once(kind: str) -> None:
    done = run("-W", "error", "-m", "tests.pacer.stress", "300", kind)
    assert (done.returncode, done.stdout, done.stderr) == (0, "OK\n", "")


class Sanitized:
    """Runs Python on extensions that were built with ThreadSanitizer."""

    def __init__(self, directory: Path) -> None:
        self.library = sanitized.build(directory, "thread")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "LD_PRELOAD": str(sanitized.libtsan()),
            "TSAN_OPTIONS": f"exitcode={FOUND} history_size=4",
            # Its own allocator would hide which memory is whose.
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": os.pathsep.join((str(self.library), str(ROOT))),
        }
        # The runtime needs memory where a randomised layout may have something else.
        return run(*arguments, before=("setarch", "-R"), environment=environment)


@pytest.fixture(scope="module")
def threads(tmp_path_factory: pytest.TempPathFactory) -> Sanitized:
    """A build with ThreadSanitizer, seen to notice a race."""
    if sanitized.libtsan() is None:
        pytest.skip("no gcc with libtsan here")
    directory = tmp_path_factory.mktemp("threads")
    source, race = directory / "race.c", directory / "race.so"
    source.write_text(RACE)
    command = [sanitized.GCC, "-g", "-O0", "-shared", "-fPIC", "-fsanitize=thread"]
    subprocess.run([*command, "-o", str(race), str(source)], check=True)
    built = Sanitized(directory)
    if built.run("-c", "pass").returncode != 0:
        pytest.skip("ThreadSanitizer does not run here")
    found = built.run("-c", PROBE, str(race))
    assert found.returncode == FOUND
    assert "data race" in found.stderr
    return built


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_thread_sanitizer_finds_no_race(threads: Sanitized, kind: str) -> None:
    where = threads.run("-c", "import voicekit.pacer._loop as l; print(l.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(threads.library)
    done = threads.run("-m", "tests.pacer.stress", "1000", kind)
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr[-6000:]
