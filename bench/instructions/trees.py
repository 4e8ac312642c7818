"""The two trees: what is in the checkout, and the commit that it is compared with.

Both are copied out of the checkout and built there in the same way, by this interpreter and
under this environment's flags, so that no object file left over from yesterday is counted.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

#: Seconds for both builds, at the same time; half a minute on an idle machine.
BUILD_TIMEOUT = 900
#: What is copied: the code, and what setuptools reads to build it.
_TOP_FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
_COMPILED = {".pyx", ".pxd", ".pxi", ".h", ".c"}
_MODULES = {".so", ".pyd"}


class TreeFailed(Exception):
    """A tree could not be had or built; the text says why, in one line."""


def find_base(top: Path, wanted: str | None) -> str:
    """Return the commit to compare with.

    Without ``wanted`` where this branch left the default one; on the default branch itself
    HEAD if something is not committed yet, else the commit before it.
    """
    if wanted:
        return _commit(top, wanted) or _fail(f"there is no commit {wanted!r}")
    head = _commit(top, "HEAD") or _fail(f"{top} is no git checkout")
    for trunk in ("origin/HEAD", "origin/main", "main"):
        if _commit(top, trunk):
            base = _ask(top, "merge-base", "HEAD", trunk)
            if base and base != head:  # none: their histories end before they meet
                return base
            break
    if _git(top, "status", "--porcelain", "--", "voicekit", "setup.py"):
        return head
    return _commit(top, "HEAD~1") or _fail("HEAD has no parent here; name a commit with --base")


def copy_commit(top: Path, commit: str, tree: Path) -> None:
    """Copy a commit into the new folder ``tree``."""
    archive = io.BytesIO(_git(top, "archive", commit))
    with tarfile.open(fileobj=archive) as tar:
        for member in tar:
            if _belongs(member.name):
                tar.extract(member, tree, filter="data")


def copy_checkout(top: Path, tree: Path) -> None:
    """Copy what git would commit, whether it has been added or not, into ``tree``."""
    listed = _git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted({os.fsdecode(name) for name in listed.split(b"\0") if name}):
        if _belongs(name) and (top / name).is_file():
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(top / name, target)


def is_same(base: Path, head: Path) -> bool:
    """True: no file that runs or is compiled differs."""
    return _contents(base) == _contents(head)


def build(base: Path, head: Path) -> None:
    """Compile both, at the same time; once where only interpreted files differ."""
    if _contents(base, _COMPILED) != _contents(head, _COMPILED):
        _build(base, head)
        return
    _build(head)
    package = (head / "voicekit").rglob("*")  # not what the compiler has left in build/
    for module in (path for path in package if path.suffix in _MODULES):
        shutil.copyfile(module, base / module.relative_to(head))


def _build(*trees: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    builds = []
    for tree in trees:
        with (tree / "build.log").open("w") as log:
            builds.append(subprocess.Popen(command, cwd=tree, stdout=log, stderr=log))
    try:
        for tree, running in zip(trees, builds, strict=True):
            if running.wait(BUILD_TIMEOUT):
                said = (tree / "build.log").read_text().strip().splitlines() or ["no output"]
                raise TreeFailed(f"{tree.name} does not compile: {said[-1]}")
    except subprocess.TimeoutExpired:
        raise TreeFailed(f"compiling took more than {BUILD_TIMEOUT} s") from None
    finally:
        for running in builds:
            running.kill()
            running.wait()


def _belongs(name: str) -> bool:
    return name.startswith("voicekit/") or name in _TOP_FILES


def _contents(tree: Path, suffixes: set[str] | None = None) -> dict[Path, bytes]:
    """Return setup.py and the package's files by path; all, or those with such suffixes."""
    files = [tree / "setup.py", *(path for path in (tree / "voicekit").rglob("*"))]
    return {
        path.relative_to(tree): path.read_bytes()
        for path in files
        if path.is_file() and (suffixes is None or path.suffix in suffixes or path.parent == tree)
    }


def _commit(top: Path, name: str) -> str | None:
    return _ask(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def _ask(top: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=top, capture_output=True, text=True)
    return done.stdout.strip() or None


def _git(top: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=top, capture_output=True)
    if done.returncode:
        why = (done.stderr.decode(errors="replace").strip().splitlines() or ["failed"])[-1]
        raise TreeFailed(f"git {arguments[0]}: {why}")
    return done.stdout


def _fail(why: str) -> str:
    raise TreeFailed(why)
