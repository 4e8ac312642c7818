"""Build the extensions with sanitizers, and run Python on them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GCC = "gcc"
#: Exit code of a process in which AddressSanitizer found something.
FOUND = 99


def libasan() -> Path | None:
    """Return gcc's AddressSanitizer runtime; None: this machine has none."""
    return _library("libasan.so")


def _library(name: str) -> Path | None:
    if sys.platform != "linux" or shutil.which(GCC) is None:
        return None
    found = subprocess.run(
        [GCC, f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    path = Path(found.stdout.strip())
    return path if path.is_absolute() and path.exists() else None


def libtsan() -> Path | None:
    """Return gcc's ThreadSanitizer runtime; None: this machine has none."""
    return _library("libtsan.so")


def build(directory: Path, sanitizers: str = "1") -> Path:
    """Build into ``directory``; return the one to put on ``PYTHONPATH``.

    ``sanitizers`` is ``VOICEKIT_SANITIZE`` of setup.py.

    Nothing in the checkout is touched: the sources are copied first, with the C that Cython
    made of them, which is the same for every compiler flag.
    """
    source, library = directory / "source", directory / "library"
    ignore = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "voicekit", source / "voicekit", ignore=ignore)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(source / "voicekit", library / "voicekit")
    command = [sys.executable, "setup.py", "-q", "build_ext"]
    command += ["--build-lib", str(library), "--build-temp", str(directory / "temp")]
    environment = os.environ | {"VOICEKIT_SANITIZE": sanitizers, "CC": GCC}
    built = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise RuntimeError(f"the sanitized build failed:\n{built.stdout}\n{built.stderr}")
    return library


def run(library: Path, *arguments: str, timeout: float | None) -> subprocess.CompletedProcess[str]:
    """Run Python with ``arguments`` on a sanitized build; a finding is a non-zero exit code."""
    # The runtime looks for C++'s throw when it starts, and libdave throws: hence both.
    preloaded = [path for path in (libasan(), _library("libstdc++.so")) if path is not None]
    environment = os.environ | {
        "LD_PRELOAD": ":".join(map(str, preloaded)),
        # Python frees little at its end, on purpose: no leak reports.
        "ASAN_OPTIONS": f"detect_leaks=0:abort_on_error=0:exitcode={FOUND}",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        # Its own allocator would hide the ends of objects from AddressSanitizer.
        "PYTHONMALLOC": "malloc",
        # The sanitized build before the checkout, which -P keeps out of sys.path.
        "PYTHONPATH": os.pathsep.join((str(library), str(ROOT))),
    }
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
