"""``voicekit doctor``: what is here, what is missing, and the command that mends it."""

import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import typer

from .options import Json
from .output import Report

__all__ = ["Finding", "doctor", "examine"]


class Finding(msgspec.Struct, frozen=True):
    """One line of the report. ``mend`` is a command; empty where nothing is missing."""

    name: str
    ok: bool
    version: str
    detail: str
    mend: str = ""


def doctor(json: Json = False) -> None:
    """Show versions and availability of everything voicekit uses."""
    report = Report(json)
    findings = examine()
    for finding in findings:
        mark = "ok     " if finding.ok else "MISSING"
        sentence = f"{mark} {finding.name:<12} {finding.version:<10} {finding.detail}".rstrip()
        if finding.mend:
            sentence += f"\n        mend it: {finding.mend}"
        report.event("finding", sentence, **msgspec.structs.asdict(finding))
    missing = [finding.name for finding in findings if not finding.ok]
    report.event(
        "done",
        f"missing: {', '.join(missing)}" if missing else "everything is there",
        missing=missing,
    )
    if missing:
        raise typer.Exit(1)


def examine() -> list[Finding]:
    """Look at everything; never raises."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _cpu,
        _libsodium,
        _libopus,
        lambda: _package("opuslib", "opuslib", "loads libopus", "media"),
        lambda: _package("PyAV", "av", "reads and writes media files", "media"),
        lambda: _package("trio", "trio", "runs calls and the server", "trio"),
        lambda: _package("websockets", "websockets", "WebSocket protocol", "trio"),
        lambda: _package("cryptography", "cryptography", "certificates in tests", "server"),
        _dave,
    )
    return [check() for check in checks]


def _python() -> Finding:
    build = "free-threaded" if "free-threading" in sys.version else "with GIL"
    return Finding("python", True, platform.python_version(), build)


def _cpu() -> Finding:
    flags: set[str] = set()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                flags = set(line.partition(":")[2].split())
                break
    except OSError:
        pass
    present = [flag for flag in ("aes", "pclmulqdq", "avx2", "neon", "asimd") if flag in flags]
    return Finding("cpu", True, "", f"{platform.machine()} {' '.join(present)}".strip())


def _libsodium() -> Finding:
    from .._crypto import MODES, TransportCipher, available_modes

    found = _version_of("PyNaCl")
    modes = available_modes()
    if MODES[0] in modes:
        backend = TransportCipher(MODES[0], bytes(32)).backend
        return Finding("libsodium", True, found, f"AES-256-GCM ({backend}) and XChaCha20")
    return Finding(
        "libsodium",
        True,
        found,
        "XChaCha20 only: AES-256-GCM needs PyNaCl 1.6 and a CPU with AES",
        "pip install --upgrade 'PyNaCl>=1.6.2'",
    )


def _libopus() -> Finding:
    try:
        from ..opus_library import load_library

        library = load_library()
    except Exception as error:
        mend = "pip install 'voicekit[media]'"
        return Finding("libopus", False, "", " ".join(str(error).split()), mend)
    return Finding("libopus", True, library.version, str(library.path))


def _dave() -> Finding:
    from ..dave import BACKENDS, load_backend
    from ..errors import BackendUnavailable

    (_, default), (_, other) = BACKENDS.values()
    also = f"; {other} {_version_of(other)} too" if _version_of(other) else ""
    try:
        version = load_backend(default).max_version
    except BackendUnavailable as error:
        return Finding("dave", False, "", str(error), f"pip install {default}")
    return Finding("dave", True, _version_of(default), f"{default}, protocol {version}{also}")


def _package(name: str, distribution: str, purpose: str, extra: str) -> Finding:
    found = _version_of(distribution)
    if found:
        return Finding(name, True, found, purpose)
    return Finding(name, False, "", purpose, f"pip install 'voicekit[{extra}]'")


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
