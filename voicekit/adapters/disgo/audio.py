"""Audio out of a provider and into a receiver: `AudioSender` and `AudioReceiver`."""

import asyncio
import logging
from typing import Protocol

from ... import aio
from ...errors import VoicekitError
from ...media import AudioSource, open_opus_provider
from .udp import Packet

__all__ = ["AudioReceiver", "AudioSender", "OpusFrameProvider", "OpusFrameReceiver"]

_LOG = logging.getLogger("voicekit")


class OpusFrameProvider(Protocol):
    """Gives Opus packets of 20 ms. Called in a thread of its own, and may block."""

    def provide_opus_frame(self) -> bytes | None:
        """Return the next frame; None ends it."""

    def close(self) -> None:
        """It is not asked any more."""


class OpusFrameReceiver(Protocol):
    """Is given what everybody says, in the event loop's thread."""

    def receive_opus_frame(self, user_id: int, packet: Packet) -> None:
        """Take one frame. What it raises is logged, and the next one comes all the same."""

    def cleanup_user(self, user_id: int) -> None:
        """Forget what is held for a user, who has left."""

    def close(self) -> None:
        """No more will come."""


class AudioSender:
    """Sends what a provider gives, each frame when it is due, from `open` until it ends."""

    def __init__(self, provider: OpusFrameProvider, voice: aio.Voice) -> None:
        self._provider = provider
        self._voice = voice
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        provider = self._provider
        source = open_opus_provider(provider.provide_opus_frame, close=provider.close)
        self._task = asyncio.get_running_loop().create_task(self._play(source))

    async def close(self) -> None:
        """End the audio, with the silence that ends speech. The provider is closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _play(self, source: AudioSource) -> None:
        try:
            await self._voice.play(source)
        except VoicekitError as error:
            if self._voice.closed is None:
                _LOG.error("the frame provider failed", exc_info=error)
        finally:
            source.close()


class AudioReceiver:
    """Hands a receiver the frames of a call, from `open` until the call or it ends."""

    def __init__(self, receiver: OpusFrameReceiver, voice: aio.Voice) -> None:
        self._receiver = receiver
        self._voice = voice
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._receive())

    def cleanup_user(self, user_id: int) -> None:
        """Let the receiver forget a user."""
        self._receiver.cleanup_user(user_id)

    async def close(self) -> None:
        """End. The receiver is closed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _receive(self) -> None:
        try:
            async for frame in self._voice.frames():
                packet = Packet(
                    frame.sequence & 0xFFFF, frame.rtp_time & 0xFFFF_FFFF, frame.ssrc, frame.opus
                )
                try:
                    self._receiver.receive_opus_frame(frame.user_id, packet)
                except Exception:
                    _LOG.exception("the frame receiver failed")
        except VoicekitError:
            pass  # how the call ended, its close handler is told
        finally:
            self._receiver.close()
