"""Types that are loose or wrong.

nextcord#729, discord.py PR#7459 and #10333, pycord PR#3159: ``Any`` where there is a type, and
types that do not say what is returned. Cython makes no stubs (cython PR#3818). Here every
function says what it takes and returns, every extension has a stub, and both are installed.
Item 42 of the list of what users suffer from.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import voicekit

PACKAGE = Path(voicekit.__file__).parent
TYPED = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")])

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def untyped(function: Function) -> list[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    missing = [each.arg for each in named if each.annotation is None]
    if function.returns is None:
        missing.append("return")
    return [name for name in missing if name not in ("self", "cls", "mcs")]


def test_type_checkers_are_told_to_read_them() -> None:
    assert (PACKAGE / "py.typed").exists()
    pyproject = (PACKAGE.parent / "pyproject.toml").read_text()
    assert '"py.typed"' in pyproject
    assert '"*.pyi"' in pyproject


def test_every_function_says_what_it_takes_and_returns() -> None:
    missing = {
        f"{path.relative_to(PACKAGE)}:{function.lineno} {function.name}": names
        for path in TYPED
        for function in functions(path)
        if (names := untyped(function))
    }
    assert missing == {}


@pytest.mark.parametrize("source", sorted(PACKAGE.rglob("*.pyx")), ids=lambda path: path.stem)
def test_every_extension_has_a_stub_that_names_what_is_public(source: Path) -> None:
    stub = source.with_suffix(".pyi")
    assert stub.exists()
    public = [
        ast.literal_eval(node.value)
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__all__"
    ]
    if source.stem == "_relay":
        pytest.importorskip("voicekit.net._relay", reason="there is one on Linux only")
    module = ".".join(source.relative_to(PACKAGE.parent).with_suffix("").parts)
    names = getattr(__import__(module, fromlist=["__all__"]), "__all__", [])
    assert public in ([list(names)], []) or sorted(public[0]) == sorted(names)
