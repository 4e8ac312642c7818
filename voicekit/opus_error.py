"""What libopus refused, as opuslib's exception with a text that says what to do.

opuslib can be imported only once libopus is found, and so this module too: it belongs to
`voicekit._opus`, which loads libopus first.
"""

import opuslib.api.info
import opuslib.exceptions

from .errors import VoicekitError

__all__ = ["OpusError"]

_WHAT_TO_DO = {
    -1: "libopus refuses this value, or this order of calls",
    -2: "the buffer is too small for the result: give a larger one",
    -3: "a bug in libopus, or a damaged state: make a new object",
    -4: "these bytes are no Opus packet, or were damaged: decode(None) fills a lost one",
    -5: "this libopus does not know it: a newer one, or one built with it, does",
    -6: "the state is damaged: make a new object",
    -7: "out of memory",
}


class OpusError(VoicekitError, opuslib.exceptions.OpusError):  # type: ignore[misc]
    """libopus refused a call. Also an ``opuslib.OpusError``; ``code`` is libopus's number."""

    def __init__(self, code: int, call: str = "") -> None:
        # Not opuslib's: it keeps no arguments, and its text is the repr of a bytes object.
        Exception.__init__(self, code, call)
        self.code = code

    def __str__(self) -> str:
        code, call = self.args
        name = opuslib.api.info.strerror(code).decode()
        return f"{call or 'libopus'}: {name} ({code}): {_WHAT_TO_DO.get(code, 'unknown code')}"
