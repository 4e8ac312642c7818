"""The groups of benchmarks: one module each, with ``def run(options) -> Iterator[Row]``."""

from collections.abc import Callable, Iterator
from importlib import import_module

from ..options import Options
from ..results import Row

__all__ = ["NAMES", "NotHere", "load"]

#: All groups, in the order in which they run.
NAMES = (
    "seal",
    "open",
    "opus",
    "dave",
    "gateway",
    "jitter",
    "recording",
    "udp",
    "pacing",
    "calls",
    "import",
    "memory",
)


class NotHere(Exception):
    """A group can not run here; the text says why."""


def load(name: str) -> Callable[[Options], Iterator[Row]]:
    """Return the ``run`` of a group. Raises `NotHere` if what it needs is missing."""
    module = f"{__name__}.{name}{'_' if name == 'import' else ''}"  # `import` is no name
    try:
        run: Callable[[Options], Iterator[Row]] = import_module(module).run
    except ImportError as error:
        raise NotHere(f"{error.name} is missing") from None
    return run
