"""What voicekit raises, as the exceptions that a host library's users know."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import VoicekitError

__all__ = ["raising"]


@contextmanager
def raising(kinds: Mapping[type[VoicekitError], Callable[[Any], Exception]]) -> Iterator[None]:
    """Raise the host's exception in the place of ours, which becomes its cause.

    ``kinds`` is read in order: what stands with the first class that fits is called with ours.
    """
    try:
        yield
    except VoicekitError as error:
        for kind, make in kinds.items():
            if isinstance(error, kind):
                raise make(error) from error
        raise
