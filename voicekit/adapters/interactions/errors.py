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


def with_text(kind: Callable[[], Any]) -> Callable[[object], Exception]:
    """Return what makes exceptions of a class that has one text only, with a text of ours."""

    def make(text: object) -> Exception:
        error: Exception = kind()
        error.args = (str(text),)
        return error

    return make


def _closed(error: CallClosed) -> Exception:
    return with_text(lambda: VoiceWebSocketClosed(error.code or 4000))(error)


#: Of our classes, the first that fits.
ERRORS: Mapping[type[VoicekitError], Callable[[Any], Exception]] = {
    RecordingError: lambda error: RuntimeError(str(error)),
    NotConnected: with_text(VoiceNotConnected),
    AlreadyConnected: with_text(VoiceAlreadyConnected),
    ConnectFailed: with_text(VoiceConnectionTimeout),
    CallClosed: _closed,
    VoicekitError: lambda error: LibraryException(str(error)),
}
