"""What interactions.py calls a player: one audio object, from its beginning to its end."""

import asyncio
from typing import TYPE_CHECKING, Any

from ...aio import Voice
from ...aio.threads import in_thread
from ...media import AudioSource
from .audio import FRAME_SECONDS, adopt, set_volume

if TYPE_CHECKING:
    from .voice_state import VoicekitVoiceState

__all__ = ["VoicekitPlayer"]


class VoicekitPlayer:
    """Plays one audio object. All that can be done with it is in ``state.ws.player``."""

    def __init__(self, audio: Any, state: "VoicekitVoiceState", voice: Voice) -> None:
        #: What was given to play.
        self.current_audio: Any = audio
        self.state = state
        #: What it failed with.
        self.error: Exception | None = None
        self._voice = voice
        self._source: AudioSource | None = None
        self._ended = asyncio.Event()
        self._is_stopping = False
        self._is_paused = False
        self._first_frame = voice.frames_played
        self._elapsed = 0.0  # in the end

    async def play(self, channel_bitrate: int) -> None:
        """Open it, and begin to play; what played before ends where it begins."""
        try:
            source = await in_thread(adopt, self.current_audio, channel_bitrate)
            self._source = source
            set_volume(self.current_audio, source, self.state.volume)
            if self._is_stopping:
                self._end(None)
            else:
                self._first_frame = self._voice.frames_played
                await self._voice.player.play(source, after=self._end)
                if self._is_paused:
                    self._voice.player.pause()
        except BaseException:
            self._end(None)
            raise

    def set_volume(self, volume: float) -> None:
        """Forward a volume to whatever has one."""
        if self._source is not None:
            set_volume(self.current_audio, self._source, volume)

    def stop(self) -> None:
        """End it within a frame. Idempotent."""
        self._is_stopping = True
        if self._is_current:
            self._voice.player.stop()

    def stop_opening(self) -> None:
        """Do not begin, if it has not yet: another one takes its place."""
        self._is_stopping = True

    def pause(self) -> None:
        """Keep what was not sent. Idempotent."""
        self._is_paused = not self.stopped
        if self._is_current:
            self._voice.player.pause()

    def resume(self) -> None:
        """Go on with the frame that was next. Idempotent."""
        self._is_paused = False
        if self._is_current:
            self._voice.player.resume()

    @property
    def paused(self) -> bool:
        """Whether it was paused, and has not ended."""
        return self._is_paused and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    @property
    def elapsed_time(self) -> float:
        """Seconds of it that were sent."""
        return self._voice.player.elapsed if self._is_current else self._elapsed

    async def wait(self) -> None:
        """Wait for its end."""
        await self._ended.wait()

    @property
    def _is_current(self) -> bool:
        return self._source is not None and self._voice.player.current_audio is self._source

    def _end(self, error: Exception | None) -> None:
        if self._ended.is_set():
            return
        self.error = error
        self._elapsed = (self._voice.frames_played - self._first_frame) * FRAME_SECONDS
        self._ended.set()
        # A source of voicekit's belongs to whoever opened it.
        if self._source is not None and self._source is not self.current_audio:
            in_thread(self._source.close)
