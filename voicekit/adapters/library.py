"""What discord.py and its relatives call things: one table per library, made from its module."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..errors import (
    AlreadyRecording,
    CallClosed,
    ConnectTimedOut,
    NoSink,
    NotRecording,
    RecordingNotConnected,
    VoicekitError,
)
from ..opus_library import OpusNotFound
from .host_errors import raising

__all__ = ["Library"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The types of one host library that callers hand in, or catch."""

    name: str
    audio_source: type[Any]
    #: Multiplies the samples of another source; what it does, the player does.
    volume_transformer: type[Any]
    #: Sources that may be read ahead of time; any other is asked for a frame when it is due.
    files: tuple[type[Any], ...]
    #: What is recorded into; None: the library has no such thing.
    sink: type[Any] | None
    client_exception: type[Exception]
    #: A `client_exception` with the close code of a WebSocket.
    connection_closed: type[Exception]
    opus_not_loaded: type[Exception]
    opus_error: type[Exception]
    recording_not_connected: type[Exception]
    already_recording: type[Exception]
    no_sink: type[Exception]
    not_recording: type[Exception]
    timed_out: type[Exception] = asyncio.TimeoutError
    #: Whether `after` may be a coroutine function.
    awaits_after: bool = False
    #: Whether `move_to` returns when we are there, rather than when that was asked for.
    waits_for_move: bool = True

    @classmethod
    def of(cls, module: ModuleType, name: str, **differences: Any) -> "Library":
        """Return the table of an imported library; all of them keep these names."""
        return cls(
            **{
                "name": name,
                "audio_source": module.AudioSource,
                "volume_transformer": module.PCMVolumeTransformer,
                "files": (module.PCMAudio, module.FFmpegAudio),
                "sink": None,
                "client_exception": module.ClientException,
                "connection_closed": module.ConnectionClosed,
                "opus_not_loaded": module.opus.OpusNotLoaded,
                "opus_error": module.opus.OpusError,
                "recording_not_connected": module.ClientException,
                "already_recording": module.ClientException,
                "no_sink": TypeError,
                "not_recording": module.ClientException,
                **differences,
            }
        )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Let what is raised in the block be the library's exceptions."""
        kinds: Mapping[type[VoicekitError], Callable[[str], Exception]] = {
            RecordingNotConnected: self.recording_not_connected,
            AlreadyRecording: self.already_recording,
            NoSink: self.no_sink,
            NotRecording: self.not_recording,
            OpusNotFound: self.opus_not_loaded,
            ConnectTimedOut: self.timed_out,
            VoicekitError: self.client_exception,
        }
        with raising(kinds):
            try:
                yield
            except CallClosed as error:
                if error.code:
                    raise self._closed(str(error), error.code) from error
                raise

    def _closed(self, why: str, code: int) -> Exception:
        make: Any = self.connection_closed
        error = make(None, shard_id=None, code=code)
        error.reason = why
        error.args = (why,)  # instead of "Shard ID None WebSocket closed with ..."
        return error  # type: ignore[no-any-return]

    def bad_opus(self, why: str) -> Exception:
        """Return the library's exception for what can not be encoded (OPUS_BAD_ARG)."""
        # Its own constructor asks a libopus that may not be loaded for the text.
        error: Any = self.opus_error.__new__(self.opus_error)
        error.code = -1
        error.args = (why,)
        return error  # type: ignore[no-any-return]
