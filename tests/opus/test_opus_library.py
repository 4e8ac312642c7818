"""Where libopus is looked for, in processes of their own: a process loads it only once."""

import ctypes.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from voicekit.opus_library import ENVIRONMENT_VARIABLE, OpusNotFound, load_library

ROOT = Path(__file__).resolve().parents[2]

#: Lines that make the system's libraries, or PyAV, invisible to voicekit.
HIDE_SYSTEM = """
import ctypes.util, voicekit.opus_library as module
ctypes.util.find_library = lambda name: None
module._SYSTEM_NAMES = ("libopus-that-is-not-there.so.0",)
"""
HIDE_PYAV = "import sys; sys.modules['av'] = None\n"
HIDE_OPUSLIB = "import sys; sys.modules['opuslib'] = None\n"
LOAD = "from voicekit.opus_library import load_library; print(*load_library(), sep='|')\n"
REPORT = """
from voicekit.opus_library import OpusNotFound
try:
    import voicekit.opus
except OpusNotFound as error:
    print(error)
"""


def run(script: str, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if k != ENVIRONMENT_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_one_inside_pyav_is_found_where_the_system_has_none() -> None:
    path, origin, version = run(HIDE_SYSTEM + LOAD).split("|")
    assert origin == "PyAV"
    assert Path(path).is_file()
    assert version.startswith("libopus 1.")


def test_the_environment_comes_first() -> None:
    inside = run(HIDE_SYSTEM + LOAD).split("|")[0]
    path, origin, _ = run(LOAD, **{ENVIRONMENT_VARIABLE: inside}).split("|")
    assert (path, origin) == (inside, "environment")


def test_the_system_comes_before_pyav() -> None:
    inside = run(HIDE_SYSTEM + LOAD).split("|")[0]
    claim = f"import ctypes.util; ctypes.util.find_library = lambda name: {inside!r}\n"
    assert run(claim + LOAD).split("|")[:2] == [inside, "system"]


def test_without_any_the_error_says_what_to_do_and_where_it_looked() -> None:
    text = run(HIDE_SYSTEM + HIDE_PYAV + REPORT)
    assert "\n" not in text
    assert "pip install av" in text
    assert ENVIRONMENT_VARIABLE in text
    assert "find_library('opus'): knows none" in text
    assert "libopus-that-is-not-there.so.0: " in text
    assert "PyAV's wheel: not installed" in text


def test_a_wrong_setting_is_an_error_even_where_another_would_do(tmp_path: Path) -> None:
    missing, no_library = str(tmp_path / "libopus.so"), tmp_path / "text.so"
    no_library.write_text("this is no library")
    for wrong in (missing, str(no_library)):
        text = run(REPORT, **{ENVIRONMENT_VARIABLE: wrong})
        assert f"{ENVIRONMENT_VARIABLE} does not name a usable libopus" in text
        assert wrong in text


@pytest.mark.skipif(ctypes.util.find_library("c") is None, reason="no C library by that name")
def test_a_library_that_is_not_libopus_is_refused() -> None:
    other = ctypes.util.find_library("c")
    assert other is not None
    assert "is no libopus" in run(REPORT, **{ENVIRONMENT_VARIABLE: other})


def test_without_opuslib_the_error_names_the_extra() -> None:
    assert "pip install 'voicekit[media]'" in run(HIDE_OPUSLIB + REPORT)


RETRY = """
spec = module.importlib.util.find_spec
module.importlib.util.find_spec = lambda name: None if name == "av" else spec(name)
try:
    module.load_library()
except module.OpusNotFound:
    module.importlib.util.find_spec = spec
    print(module.load_library().origin)
"""


def test_a_failure_is_not_remembered() -> None:
    assert run(HIDE_SYSTEM + RETRY) == "PyAV"


def test_the_library_that_opuslib_has_loaded_already_is_kept() -> None:
    inside = run(HIDE_SYSTEM + LOAD).split("|")[0]
    first = (
        "import ctypes.util, warnings\n"
        "original = ctypes.util.find_library\n"
        f"ctypes.util.find_library = lambda name: {inside!r}\n"
        "warnings.simplefilter('ignore')\n"
        "import opuslib\n"
        "ctypes.util.find_library = original\n"
    )
    assert run(first + LOAD).split("|")[:2] == [inside, "opuslib"]


def test_find_library_is_itself_again_afterwards() -> None:
    script = "import ctypes.util; before = ctypes.util.find_library\n" + LOAD
    assert run(script + "print(ctypes.util.find_library is before)").endswith("True")


def test_it_is_looked_for_once() -> None:
    assert load_library() is load_library()


def test_the_error_survives_pickling() -> None:
    error = OpusNotFound("no libopus.", (("here", "empty"),))
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "no libopus. Tried here: empty."
    assert copy.tried == error.tried
