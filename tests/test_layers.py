"""The direction of imports: core ← server, testing; core ← media, pacer ← trio, aio ← adapters.

A room may import what is listed for it and nothing else of voicekit. Imports and cimports
are read from the source, lazy ones inside functions too: a layer is not a matter of when.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "voicekit"

#: What each room may import. "core" is everything directly in voicekit/. The pytest plugin
#: and the servers in threads behind its fixtures are a room of their own: real sockets.
ROOMS = {
    "core": {"core"},
    "server": {"core"},
    "testing": {"core", "server"},
    "media": {"core"},
    "net": {"core"},
    "pacer": {"core"},
    "driver": {"core", "media", "net", "pacer"},
    "trio": {"core", "server", "media", "net", "pacer", "driver"},
    "aio": {"core", "media", "net", "pacer", "driver"},
    "adapters": {"core", "media", "net", "pacer", "driver", "trio", "aio"},
    "cli": {"core", "server", "media", "pacer", "driver", "trio"},
    "plugin": {"core", "server", "testing", "media", "trio"},
}

#: Modules that are not in the room of their folder.
ELSEWHERE = {
    "voicekit.__main__": "cli",
    "voicekit.testing": "plugin",  # the list of names only: lazy, loads none of them
    "voicekit.testing.guilds": "plugin",
    "voicekit.testing.libraries": "plugin",
    "voicekit.testing.loopback": "plugin",
    "voicekit.testing.main_gateway": "plugin",
    "voicekit.testing.plugin": "plugin",
    "voicekit.testing.speaker": "plugin",
    "voicekit.testing.thread": "plugin",
}

#: Third-party packages, by the rooms that may import them.
FOREIGN = {
    "msgspec": set(ROOMS),
    "nacl": {"core"},
    "opuslib": {"core", "media", "cli"},
    "av": {"media", "cli"},
    "cryptography": {"server", "cli"},
    "dave": {"core"},
    "davey": {"core"},
    "trio": {"trio", "adapters", "cli", "plugin"},
    "asyncio": {"aio", "adapters", "plugin"},
    "websockets": {"driver", "trio", "aio", "cli", "plugin"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pytest": {"plugin"},
    "numpy": {"media"},
}

#: The sans-I/O rooms never read a clock, open a socket or log (rule 1 of the core).
SANS_IO = {"core", "server", "media", "testing"}
IO_MODULES = {
    "asyncio",
    "concurrent",
    "datetime",
    "logging",
    "multiprocessing",
    "sched",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "time",
}

#: libdave logs every frame that it can not decrypt, to stderr: its logger is switched off.
ALLOWED = {("voicekit.dave.libdave", "logging")}

_CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+(\S+)\s+c?import\s+(.+)|c?import\s+(.+))$")


def room_of(module: str) -> str:
    parts = module.split(".")
    home = ELSEWHERE.get(module) or ELSEWHERE.get(".".join(parts[:3]))
    if home is not None:
        return home
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "core"


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a source names, absolute; ``from x import y`` gives x.y as well."""
    module = module_of(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for target, names in _statements(path):
        base = target
        if target.startswith("."):
            level = len(target) - len(target.lstrip("."))
            above = package.rsplit(".", level - 1)[0] if level > 1 else package
            base = f"{above}.{target.lstrip('.')}".rstrip(".")
        yield base
        yield from (f"{base}.{name}" for name in names)


def _statements(path: Path) -> Iterator[tuple[str, list[str]]]:
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name, []) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names = [alias.name for alias in node.names]
                yield "." * node.level + (node.module or ""), names
        return
    for line in path.read_text().splitlines():
        match = _CYTHON_IMPORT.match(line.partition("#")[0].rstrip())
        if match is None:
            continue
        source, names, plain = match.groups()
        split = [name.split(" as ")[0].strip(" ()\\") for name in (names or plain).split(",")]
        if source is not None:
            yield source, split
        else:
            yield from ((name, []) for name in split)


def sources() -> list[Path]:
    found = [path for suffix in ("*.py", "*.pyx", "*.pxd") for path in PACKAGE.rglob(suffix)]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_no_import_goes_against_the_layers(path: Path) -> None:
    room = room_of(module_of(path))
    allowed = ROOMS[room] | {room}
    for target in imports_of(path):
        if target == "voicekit" or target.startswith("voicekit."):
            assert room_of(target) in allowed, f"{room} must not import {target}"
        else:
            top = target.partition(".")[0]
            assert room in FOREIGN.get(top, {room}), f"{room} must not import {top}"
            if (module_of(path), top) in ALLOWED:
                continue
            assert top not in IO_MODULES or room not in SANS_IO, f"{room} must not import {top}"


def test_the_walk_sees_relative_lazy_and_c_imports(tmp_path: Path) -> None:
    module = PACKAGE / "testing" / "pair.py"
    assert "voicekit.connection" in set(imports_of(module))
    crypto = PACKAGE / "_crypto.pxd"
    assert "libc.stdint" in set(imports_of(crypto))
    assert room_of("voicekit.testing.plugin") == "plugin"
    assert room_of("voicekit.trio.runner") == "trio"
    assert room_of("voicekit._rtp") == "core"


def printed_by(script: str) -> str:
    """Run a script in an interpreter of its own, which has loaded nothing yet."""
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=PACKAGE.parent,
    )
    return run.stdout


def test_the_asyncio_driver_loads_no_trio() -> None:
    script = "import sys, voicekit.aio\nvoicekit.aio.connect\nprint(*sys.modules)"
    assert {"trio", "voicekit.trio"}.isdisjoint(printed_by(script).split())


def test_the_core_loads_no_optional_dependency() -> None:
    optional = ["trio", "websockets", "av", "opuslib", "cryptography", "typer", "rich", "pytest"]
    script = (
        "import sys, voicekit\n"
        "voicekit.VoiceConnection, voicekit.Gateway, voicekit.RtpSession, voicekit.Join\n"
        "rooms = {'media', 'trio', 'cli', 'testing', 'server', '_opus'}\n"
        "loaded = [name for name in sys.modules if name.startswith('voicekit.')"
        " and name.split('.')[1] in rooms]\n"
        f"loaded += [name for name in {optional!r} if name in sys.modules]\n"
        "print(','.join(loaded))"
    )
    assert printed_by(script).strip() == ""
