"""What voicekit raises, as the exceptions that a host library's users know."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ..errors import VoicekitError

__all__ = ["raising"]


@contextmanager
def raising(kinds: Mapping[type[VoicekitError], Callable[[str], Exception]]) -> Iterator[None]:
    """Raise the host's exception in the place of ours, which becomes its cause.

    ``kinds`` is read in order: the first class that fits makes the exception, of our text.
    """
    try:
        yield
    except VoicekitError as error:
        for kind, make in kinds.items():
            if isinstance(error, kind):
                raise make(str(error)) from error
        raise
