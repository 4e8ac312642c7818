"""Virtual environments for other people's libraries, made once and kept in pytest's cache."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

INSTALL_TIMEOUT = 600


def python_with(folder: Path, *requirements: str) -> Path:
    """Return the interpreter of an environment that holds ``requirements``.

    Skips the test where they cannot be installed: it needs a package registry.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = folder / "complete"
    wanted = "\n".join((sys.version, *requirements))
    if not complete.exists() or complete.read_text() != wanted:
        complete.unlink(missing_ok=True)
        venv.create(folder, clear=True)
        # Our own pip installs into it: one of its own takes as long as what is wanted there.
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        install = [*pip, "install", "--quiet", *requirements]
        try:
            made = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_TIMEOUT)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{', '.join(requirements)} took more than {INSTALL_TIMEOUT} s to install")
        if made.returncode:
            reason = (made.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            pytest.skip(f"{', '.join(requirements)} cannot be installed here: {reason}")
        complete.write_text(wanted)
    return python
