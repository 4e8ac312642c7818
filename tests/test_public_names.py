"""The lists of public names are loaded lazily: each is there, and under its one home."""

import importlib
import subprocess
import sys

import pytest

LAZY = ["voicekit", "voicekit.testing"]


@pytest.mark.parametrize("package", LAZY)
def test_every_public_name_loads(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


@pytest.mark.parametrize("package", LAZY)
def test_importing_loads_nothing_but_the_package(package: str) -> None:
    script = (
        f"import sys\nbefore = set(sys.modules)\nimport {package}\n"
        "new = set(sys.modules) - before\n"
        "print(*sorted(n for n in new if n.partition('.')[0] not in sys.stdlib_module_names))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == LAZY[: LAZY.index(package) + 1]
