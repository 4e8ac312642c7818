"""What interactions.py calls a recorder: a recording, in a file for each user."""

import asyncio
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interactions.client.const import Missing
from interactions.client.utils.input_utils import unpack_helper
from interactions.models.discord.snowflake import to_snowflake_list

from ...aio import Voice
from ...media import Recorder, Sink
from ...media.recording.formats import FORMATS
from ...media.recording.sink import ReceivedFrame
from ..host_errors import raising
from .errors import ERRORS

if TYPE_CHECKING:
    from .voice_state import VoicekitVoiceState

__all__ = ["VoicekitRecorder"]

#: What the library knows, all of which are formats here.
ENCODINGS = ("flac", "mka", "mp3", "ogg", "pcm", "wav")


class VoicekitRecorder:
    """Records once, in memory or into ``output_dir``: what `output` has in the end.

    Encoded and decrypted as it comes; lost packets are concealed, and pauses last as long as they
    did. ``async with`` ends a recording.
    """

    def __init__(
        self,
        v_state: "VoicekitVoiceState",
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        output_dir: str | None = None,
    ) -> None:
        self.state = v_state
        self.output_dir = _checked_folder(output_dir)
        #: One of flac, mka, mp3, ogg, pcm, wav: as it is when the recording begins.
        self.encoding = "mp3"
        #: Whether it records now.
        self.recording = False
        #: Whether it has recorded: it does so once.
        self.used = False
        self.start_time = 0.0
        #: Who is recorded; nobody in it: everybody.
        self.recording_whitelist: list[int] = []
        self._files: dict[int, io.BytesIO | str] = {}
        self._finished = False
        self._voice: Voice | None = None
        self._channel_id = 0

    async def __aenter__(self) -> "VoicekitRecorder":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_recording()

    async def start_recording(self, *user_id: Any, output_dir: Any = Missing) -> None:
        """Record from now on, these users or everybody.

        Raises ``RuntimeError`` if it was used, if something else records, and if there is no call;
        ``ValueError`` for an encoding that is none, and for what is no folder.
        """
        if self.used:
            raise RuntimeError("Cannot reuse a recorder: make another one (create_recorder).")
        if self.encoding.lower() not in ENCODINGS:
            raise ValueError(
                f"`{self.encoding}` is not a supported encoding format."
                f" Supported Encodings are: {' '.join(ENCODINGS)}"
            )
        if output_dir is not Missing:
            self.output_dir = _checked_folder(output_dir)
        voice = self.state._require_voice()
        if user_id:
            self.filter(*user_id)
        self._channel_id = self.state._channel_id
        with raising(ERRORS):
            voice.start_recording(_Filtered(self))
        self._voice = voice
        self.used = self.recording = True
        self.start_time = time.monotonic()

    async def stop_recording(self) -> None:
        """End the recording; `output` is complete then."""
        if self._voice is None or not self.recording:
            raise RuntimeError("No recorder is running!")
        self.recording = False
        with raising(ERRORS):
            await self._voice.stop_recording()
        for file in self._files.values():
            if isinstance(file, io.BytesIO):
                file.seek(0)
        self._finished = True

    @property
    def output(self) -> dict[int, io.BytesIO | str]:
        """By user: a file in memory, or the path of one. Empty before the recording has ended."""
        return dict(self._files) if self._finished else {}

    @property
    def elapsed_time(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.start_time

    def filter(self, *user_id: Any) -> None:
        """Record these users from now on; nobody named: everybody."""
        self.recording_whitelist = to_snowflake_list(unpack_helper(user_id)) if user_id else []

    def _open_sink(self, user_id: int) -> Sink:
        encoding = self.encoding.lower()
        if self.output_dir is None:
            file = self._files[user_id] = io.BytesIO()
            return FORMATS[encoding].open_sink(file, 0)
        path = Path(self.output_dir, f"{self._channel_id}_{user_id}.{encoding}")
        self._files[user_id] = str(path)
        return FORMATS[encoding].open_sink(path, 0)


class _Filtered(Recorder):
    """Writes for the users that the host's recorder wants at the moment."""

    def __init__(self, owner: VoicekitRecorder) -> None:
        super().__init__(None, owner._open_sink)
        self._owner = owner

    def write(self, frame: ReceivedFrame) -> None:
        wanted = self._owner.recording_whitelist
        if not wanted or frame.user_id in wanted:
            super().write(frame)


def _checked_folder(output_dir: str | None) -> str | None:
    if output_dir and not Path(output_dir).is_dir():
        raise ValueError("output_dir must be a directory")
    return output_dir or None
