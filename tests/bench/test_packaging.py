"""The suite belongs to checkouts: a wheel installs `voicekit` and nothing beside it."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from setuptools import Distribution, find_packages

from bench.options import CHECKOUT


def settings_of(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what ``setup.py`` hands to setuptools."""
    asked: dict[str, Any] = {}
    monkeypatch.chdir(CHECKOUT)
    monkeypatch.setattr(sys, "argv", ["setup.py", *arguments])
    monkeypatch.setattr("Cython.Build.cythonize", lambda extensions, **_: extensions)
    monkeypatch.setattr("setuptools.setup", lambda **settings: asked.update(settings))
    runpy.run_path(str(CHECKOUT / "setup.py"))
    return asked


def built_by(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the extension modules that are asked for."""
    return [extension.name for extension in settings_of(arguments, monkeypatch)["ext_modules"]]


@pytest.mark.parametrize("command", [["bdist_wheel"], ["sdist"], ["install"], ["build_ext"]])
def test_only_voicekit_is_built_for_others(command: list[str], monkeypatch: pytest.MonkeyPatch):
    names = built_by(command, monkeypatch)
    assert names
    assert all(name.startswith("voicekit.") for name in names)


@pytest.mark.parametrize("command", [["editable_wheel"], ["-q", "build_ext", "--inplace"]])
def test_the_loops_are_built_in_place(command: list[str], monkeypatch: pytest.MonkeyPatch):
    assert "bench._limit" in built_by(command, monkeypatch)


def test_what_a_build_in_place_has_left_goes_into_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    command_class = settings_of(["bdist_wheel"], monkeypatch)["cmdclass"]["install_lib"]
    for name in ("voicekit", "bench"):
        (tmp_path / "lib" / name).mkdir(parents=True)
        (tmp_path / "lib" / name / "module.so").touch()
    command = command_class(Distribution())
    command.build_dir, command.install_dir = str(tmp_path / "lib"), str(tmp_path / "wheel")
    command.install()
    assert [path.name for path in (tmp_path / "wheel").iterdir()] == ["voicekit"]


def test_no_package_of_a_wheel_is_the_suite():
    import tomllib

    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    include = settings["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = find_packages(str(CHECKOUT), include=include)
    assert "voicekit" in packages
    assert {name.partition(".")[0] for name in packages} == {"voicekit"}


def test_the_loops_are_where_the_suite_is():
    from bench import _limit

    assert Path(_limit.__file__).parent == CHECKOUT / "bench"
