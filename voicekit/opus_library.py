"""Finding libopus, and making opuslib load the one that was found.

Nothing here runs at ``import voicekit``; `voicekit._opus` asks for it when it is imported.

| order | where | why |
| --- | --- | --- |
| 1 | ``VOICEKIT_OPUS_LIBRARY`` | the user knows best; if it is wrong, nothing else is tried |
| 2 | the system's | a distribution keeps it patched |
| 3 | the one inside PyAV's wheel | needs only libc and libm, so no system package is needed |

A program that imported opuslib before us has loaded a libopus already: then that one it is.
"""

import ctypes
import ctypes.util
import importlib.util
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .errors import VoicekitError

__all__ = ["ENVIRONMENT_VARIABLE", "OpusLibrary", "OpusNotFound", "load_library"]

ENVIRONMENT_VARIABLE = "VOICEKIT_OPUS_LIBRARY"

# `find_library` needs ldconfig or a compiler on Linux, and knows neither Homebrew's folder on
# Apple silicon nor anything on Alpine; the loader itself may know better.
_SYSTEM_NAMES = {
    "darwin": (
        "libopus.0.dylib",
        "libopus.dylib",
        "/opt/homebrew/lib/libopus.dylib",
        "/usr/local/lib/libopus.dylib",
    ),
    "win32": ("opus.dll", "libopus.dll", "libopus-0.dll"),
}.get(sys.platform, ("libopus.so.0", "libopus.so"))

# Wheel repair tools add a hash: libopus-114e2b1a.so.0.11.1, libopus.0.dylib, libopus-0-1f2e.dll.
_WHEEL_NAME = re.compile(r"(lib)?opus[-.0-9a-f]*\.(so[.\d]*|dylib|dll)")


class OpusNotFound(VoicekitError):
    """There is no usable libopus, or opuslib is not installed. The text says what to do.

    ``tried`` has a pair for each place that was looked at: what it is, and why it is not it.
    """

    def __init__(self, message: str, tried: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, tried)
        self.tried = tried

    def __str__(self) -> str:
        places = "; ".join(f"{place}: {why}" for place, why in self.tried)
        return f"{self.args[0]} Tried {places}." if places else str(self.args[0])


class OpusLibrary(NamedTuple):
    """The libopus in use."""

    path: str  #: as given to the loader: a file, or a name that the loader resolves
    origin: str  #: ``"environment"``, ``"system"``, ``"PyAV"`` or ``"opuslib"`` (was there first)
    version: str  #: what the library says of itself, ``"libopus 1.6.1"``


_lock = threading.Lock()
_loaded: OpusLibrary | None = None


def load_library() -> OpusLibrary:
    """Find libopus once for the process, let opuslib load it, and say which one it is.

    Raises `OpusNotFound`. A failure is not remembered: install something and call again.
    """
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _load()
        return _loaded


def _load() -> OpusLibrary:
    if "opuslib.api" in sys.modules:
        import opuslib.api

        return OpusLibrary(opuslib.api.libopus._name, "opuslib", _version())
    if importlib.util.find_spec("opuslib") is None:
        raise OpusNotFound("opuslib is not installed: pip install 'voicekit[media]'.")
    path, origin = _find()
    _import_opuslib(path)
    return OpusLibrary(path, origin, _version())


def _version() -> str:
    import opuslib.api.info

    return str(opuslib.api.info.get_version_string().decode())


def _find() -> tuple[str, str]:
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        why = _why_not(chosen)
        if why:
            # Taking another one silently would hide the mistake.
            raise OpusNotFound(
                f"{ENVIRONMENT_VARIABLE} does not name a usable libopus: "
                "correct it, or unset it to search.",
                ((chosen, why),),
            )
        return chosen, "environment"
    tried: list[tuple[str, str]] = []
    for path, origin in _candidates(tried):
        why = _why_not(path)
        if not why:
            return path, origin
        tried.append((path, why))
    raise OpusNotFound(
        "libopus was not found: install PyAV, whose wheel holds one (pip install av), or the "
        "system's (apt install libopus0, apk add opus, brew install opus), or set "
        f"{ENVIRONMENT_VARIABLE} to its file.",
        tuple(tried),
    )


def _candidates(tried: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield (path, origin), best first; note in ``tried`` the places that hold nothing."""
    found = ctypes.util.find_library("opus")
    if found is None:
        tried.append(("find_library('opus')", "knows none"))
    else:
        yield found, "system"
    yield from ((name, "system") for name in _SYSTEM_NAMES)
    try:
        spec = importlib.util.find_spec("av")
    except ValueError:  # an av without a spec: somebody's stand-in
        spec = None
    if spec is None or not spec.submodule_search_locations:
        tried.append(("PyAV's wheel", "not installed"))
        return
    package = Path(spec.submodule_search_locations[0])
    folders = (package.parent / "av.libs", package / ".dylibs")
    inside = [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if _WHEEL_NAME.fullmatch(path.name)
    ]
    if not inside:
        tried.append((" and ".join(map(str, folders)), "no libopus there"))
    yield from ((str(path), "PyAV") for path in inside)


def _why_not(path: str) -> str:
    """Return why this library can not be used; empty if it can."""
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        return " ".join(str(error).split())
    return "" if hasattr(library, "opus_encoder_create") else "loads, but is no libopus"


def _import_opuslib(path: str) -> None:
    """Import opuslib so that the library it loads is ``path``.

    opuslib takes what ``ctypes.util.find_library("opus")`` names and offers no other way; with
    None it raises a bare Exception from its import. So that function answers with our path for
    as long as the import takes, and only for this one name. The caller holds the lock.
    """
    original = ctypes.util.find_library
    ctypes.util.find_library = lambda name: path if name == "opus" else original(name)
    try:
        with warnings.catch_warnings():
            # It compares with `is not 0`; who turns warnings into errors could not import it.
            warnings.simplefilter("ignore", SyntaxWarning)
            import opuslib.api  # noqa: F401
    finally:
        ctypes.util.find_library = original
