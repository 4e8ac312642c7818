"""What a run was made on: processor, kernel, versions. Nothing that names a machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import libraries

__all__ = ["commit", "machine", "versions"]

#: PyNaCl brings libsodium along, and does not say which.
_PACKAGES = (
    "voicekit",
    "PyNaCl",
    "dave.py",
    "davey",
    "msgspec",
    "trio",
    "websockets",
    "opuslib",
    "av",
    "cryptography",
    "Cython",
)


def machine() -> dict[str, str]:
    """Return processor, number of cores, operating system and kernel."""
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "architecture": platform.machine(),
        "system": platform.system(),
        "kernel": platform.release().partition("-")[0],
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of every library that takes part."""
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    try:
        found["libopus"] = _libopus()
    except Exception:  # a library that is not there is not an error here
        pass
    if openssl := libraries.openssl_version():
        found["OpenSSL"] = openssl
    return found


def commit(checkout: Path) -> str:
    """Return the commit that runs, with a plus if files differ from it; empty if unknown."""
    try:
        found = _git(checkout, "rev-parse", "--short=12", "HEAD").strip()
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no").strip()
    except (OSError, subprocess.SubprocessError):
        return ""
    return found + "+" * bool(changed)


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _libopus() -> str:
    from voicekit.opus_library import load_library

    return str(load_library().version).removeprefix("libopus ")
