"""Audio that is asked for frame by frame: a function gives 20 ms when the player wants them."""

from collections.abc import Callable, Mapping

from ..pcm import Reframer
from .encoding import EncoderOptions
from .opus_source import OpusSource
from .source import AudioSource

__all__ = ["PcmProvider", "open_opus_provider", "open_provider"]

#: Returns what comes next, or None (or nothing) at the end.
Provide = Callable[[], bytes | bytearray | memoryview | None]


def open_provider(
    provide: Provide,
    *,
    volume: float = 1.0,
    encoder: EncoderOptions | None = None,
    live: bool = True,
    close: Callable[[], object] | None = None,
) -> AudioSource:
    """Return a source of what ``provide`` returns: int16 samples, stereo, 48 kHz.

    20 ms (3840 bytes) each time, or any other length; None or nothing ends it. ``live`` False:
    it may be asked well before the audio is due. ``close`` is called once, by `close`. What
    either raises comes out of the source.
    """
    return PcmProvider(provide, volume, encoder, live, close)


def open_opus_provider(
    provide: Callable[[], bytes | None],
    *,
    volume: float = 1.0,
    encoder: EncoderOptions | None = None,
    live: bool = True,
    close: Callable[[], object] | None = None,
) -> AudioSource:
    """Return a source of what ``provide`` returns: an Opus packet each time.

    Packets of 20 ms pass untouched; others are regrouped, or encoded anew. Otherwise it is as
    `open_provider`.
    """
    options = EncoderOptions() if encoder is None else encoder
    source = OpusSource(
        _ProvidedPackets(provide, close), volume=volume, encoder=options, eager=False
    )
    source.live = live
    return source


class PcmProvider(AudioSource):
    """What `open_provider` returns."""

    def __init__(
        self,
        provide: Provide,
        volume: float,
        encoder: EncoderOptions | None,
        live: bool,
        close: Callable[[], object] | None,
    ) -> None:
        super().__init__(volume=volume, encoder=encoder)
        self.live = live
        self._provide = provide
        self._close = close
        self._frames = Reframer()
        self._ended = False

    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms as samples; None at the end."""
        while (frame := self._frames.take()) is None:
            pcm = None if self._ended else self._provide()
            if not pcm:
                self._ended = True
                return self._frames.take_rest()
            self._frames.push(pcm)
        return frame

    @property
    def padding(self) -> int:
        """Bytes of silence at the end of the last frame."""
        return self._frames.padding

    def close(self) -> None:
        """Be at the end, and say so to whom it was promised. Idempotent."""
        super().close()
        self._ended = True
        self._frames.clear()
        if self._close is not None:
            close, self._close = self._close, None
            close()


class _ProvidedPackets:
    """A function as `OpusPackets`."""

    name = "the provider"
    duration: float | None = None
    metadata: Mapping[str, str] = {}
    seekable = False

    def __init__(
        self, provide: Callable[[], bytes | None], close: Callable[[], object] | None
    ) -> None:
        self._provide = provide
        self._close = close
        self._ended = False

    def read(self) -> bytes | None:
        packet = None if self._ended else self._provide()
        if not packet:
            self._ended = True
            return None
        return packet

    def seek(self, seconds: float) -> float:
        raise NotImplementedError  # it is not seekable

    def close(self) -> None:
        self._ended = True
        if self._close is not None:
            close, self._close = self._close, None
            close()
