"""What interactions.py raises for what voicekit does."""

from collections.abc import Callable, Mapping
from typing import Any

from interactions.client.errors import (
    LibraryException,
    VoiceAlreadyConnected,
    VoiceConnectionTimeout,
    VoiceNotConnected,
    VoiceWebSocketClosed,
)

from ...errors import (
    AlreadyConnected,
    CallClosed,
    ConnectFailed,
    NotConnected,
    RecordingError,
    VoicekitError,
)

__all__ = ["ERRORS", "with_text"]


def with_text(kind: Callable[[], Any]) -> Callable[[str], Exception]:
    """Return what makes exceptions of a class that has one text only, with a text of ours."""

    def make(text: str) -> Exception:
        error: Exception = kind()
        error.args = (text,)
        return error

    return make


#: Of our classes, the first that fits.
ERRORS: Mapping[type[VoicekitError], Callable[[str], Exception]] = {
    RecordingError: RuntimeError,
    NotConnected: with_text(VoiceNotConnected),
    AlreadyConnected: with_text(VoiceAlreadyConnected),
    ConnectFailed: with_text(VoiceConnectionTimeout),
    CallClosed: with_text(lambda: VoiceWebSocketClosed(4000)),
    VoicekitError: LibraryException,
}
