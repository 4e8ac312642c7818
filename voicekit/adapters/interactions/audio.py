"""The audio objects of interactions.py, as sources that play here."""

import threading
from collections.abc import Callable
from typing import Any

from interactions.api.voice.audio import Audio, AudioVolume, BaseAudio

from ...media import (
    AudioSource,
    EncoderOptions,
    File,
    open_opus_provider,
    open_provider,
    open_source,
)
from ...media.pcm import FRAME_BYTES

__all__ = ["adopt", "set_volume"]

FRAME_SECONDS = 0.02
_SILENCE = bytes(FRAME_BYTES)
_SILENT_OPUS = b"\xf8\xff\xfe"


def adopt(audio: BaseAudio | AudioSource | File, channel_bitrate: int) -> AudioSource:
    """Return what plays ``audio``: it opens files, and so belongs into a worker thread.

    An `Audio` or `AudioVolume` that has no wishes for FFmpeg needs none: what its ``source`` names
    is opened as by `open_source`. Any other is asked for 20 ms when they are due. Closing it cleans
    the audio up. ``channel_bitrate`` is in bits per second; the audio's own ``bitrate`` (kbit/s)
    goes first.
    """
    if isinstance(audio, AudioSource):
        return audio
    if not isinstance(audio, BaseAudio):
        return open_source(audio, encoder=_options(None, channel_bitrate))
    options = _options(getattr(audio, "bitrate", None), channel_bitrate)
    if _is_plain(audio):
        return _HostAudio(audio, open_source(audio.source, encoder=options), options)
    audio.encoder = None  # FFmpeg's bit rate is looked for there
    if not audio.needs_encode:
        return open_opus_provider(
            _reader(audio, _SILENT_OPUS), encoder=options, close=audio.cleanup
        )
    return _HostAudio(audio, open_provider(_reader(audio, _SILENCE), encoder=options), options)


def set_volume(audio: object, source: AudioSource, volume: float) -> None:
    """Make what plays as loud, if it can be; ``source`` is `adopt`'s of ``audio``."""
    if not isinstance(audio, BaseAudio):
        source.volume = volume
    elif hasattr(audio, "volume"):
        audio.volume = volume
        if isinstance(source, _HostAudio):
            source.notice_volume()


def _is_plain(audio: BaseAudio) -> bool:
    return (
        isinstance(audio, Audio)
        and type(audio).read in (Audio.read, AudioVolume.read)
        and not (audio.process or audio.ffmpeg_args or audio.ffmpeg_before_args)
    )


def _options(kbps: int | None, channel_bitrate: int) -> EncoderOptions:
    bitrate = channel_bitrate if kbps is None else min(512, max(16, kbps)) * 1000
    return EncoderOptions(bitrate=min(512_000, max(500, bitrate)))


def _reader(audio: BaseAudio, silence: bytes) -> Callable[[], bytes | None]:
    # What multiplies by the volume itself would do so before the player can take it back.
    read: Callable[[int], bytes] = audio.read
    if type(audio).read is AudioVolume.read:
        read = super(AudioVolume, audio).read

    def provide() -> bytes | None:
        if data := read(FRAME_BYTES):
            return bytes(data)
        more = audio.locked_stream or not audio.audio_complete
        return silence if more else None

    return provide


class _HostAudio(AudioSource):
    """What ``inner`` gives, as loud as the audio object says, which is cleaned up at the end."""

    def __init__(self, audio: BaseAudio, inner: AudioSource, options: EncoderOptions) -> None:
        self.audio = audio
        # Others have been multiplied when they come.
        self._has_volume = type(audio).read is AudioVolume.read
        self._known_volume = self._volume_of_audio()
        super().__init__(encoder=options)
        self.live = inner.live
        self._inner = inner
        self._frames = 0
        self._lock = threading.Lock()  # `close` comes from another thread than `read`

    @property
    def name(self) -> str:
        """For messages."""
        return repr(self.audio)

    @property
    def duration(self) -> float | None:
        return self._inner.duration

    @property
    def seekable(self) -> bool:
        """Whether `seek` may work."""
        return bool(getattr(self._inner, "seekable", False))

    @property
    def position(self) -> float:
        """Seconds from its beginning to what is read next."""
        place: float | None = getattr(self._inner, "position", None)
        return self._frames * FRAME_SECONDS if place is None else place

    def seek(self, seconds: float) -> None:
        """Go on from another moment."""
        seek: Any = self._inner.seek  # type: ignore[attr-defined]
        with self._lock:
            seek(seconds)

    @property
    def padding(self) -> int:
        return self._inner.padding

    def next_packet(self) -> bytes | None:
        self.notice_volume()
        with self._lock:
            return self._inner.next_packet()

    def next_pcm(self) -> bytes | None:
        with self._lock:
            pcm = self._inner.next_pcm()
        self._frames += pcm is not None
        if pcm is None and self.audio.locked_stream and not self.closed:
            return _SILENCE
        return pcm

    def notice_volume(self) -> None:
        """Have the player see a volume that the audio object was given."""
        volume = self._volume_of_audio()
        if volume != self._known_volume:
            self._known_volume = volume
            if self._volume_changed is not None:
                self._volume_changed()

    def close(self) -> None:
        super().close()
        self.audio.cleanup()  # ends an FFmpeg for which a reader waits
        with self._lock:
            self._inner.close()

    @property
    def _gain(self) -> float:
        return super()._gain * self._volume_of_audio()

    def _volume_of_audio(self) -> float:
        return float(self.audio.volume) if self._has_volume else 1.0
