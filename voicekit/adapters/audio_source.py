"""The `AudioSource` of a host library, as a source that plays here."""

from collections.abc import Callable
from typing import Any

from ..media import AudioSource, EncoderOptions, open_opus_provider
from ..media.sources.provider import PcmProvider
from .library import Library

__all__ = ["adopt", "encoder_options"]

#: The libraries' words, and libopus's.
_APPLICATIONS = {"audio": "audio", "voip": "voip", "lowdelay": "restricted_lowdelay"}
_BANDWIDTHS = {
    "narrow": "narrowband",
    "medium": "mediumband",
    "wide": "wideband",
    "superwide": "superwideband",
    "full": "fullband",
}
_SIGNALS = {"auto": "auto", "voice": "voice", "music": "music"}
#: Where the libraries bend what is louder.
LOUDEST = 2.0


def encoder_options(
    application: str = "audio",
    bitrate: int = 128,
    fec: bool = True,
    expected_packet_loss: float = 0.15,
    bandwidth: str = "full",
    signal_type: str = "auto",
) -> EncoderOptions:
    """Return the encoder options that a library's words stand for; by default its defaults.

    ``fec`` protects speech, and leaves music in the mode for music: libopus's older switch, which
    the libraries use, would force the voice modes on it. Raises what they raise: ``ValueError``,
    ``KeyError`` for a bandwidth or a signal.
    """
    if application not in _APPLICATIONS:
        raise ValueError(f"application is one of {', '.join(_APPLICATIONS)}, not {application!r}")
    if not 16 <= bitrate <= 512:
        raise ValueError(f"bitrate is 16 to 512 (kbit/s), not {bitrate!r}")
    if not 0 < expected_packet_loss <= 1:
        raise ValueError(f"expected_packet_loss is above 0, up to 1, not {expected_packet_loss!r}")
    for name, value, known in (
        ("bandwidth", bandwidth, _BANDWIDTHS),
        ("signal_type", signal_type, _SIGNALS),
    ):
        if value not in known:
            raise KeyError(f"{name} is one of {', '.join(known)}, not {value!r}")
    options: dict[str, Any] = {
        "application": _APPLICATIONS[application],
        "bitrate": min(int(bitrate) * 1024, 512_000),
        "bandwidth": _BANDWIDTHS[bandwidth],
        "signal": _SIGNALS[signal_type],
        "fec": "voice" if fec else "off",
        "expected_loss": int(expected_packet_loss * 100) if fec else 0,
    }
    return EncoderOptions(**options)


def adopt(source: Any, library: Library, encoder: EncoderOptions) -> AudioSource:
    """Return what plays ``source``, an ``AudioSource`` of the library.

    It is read in a worker thread: a file well ahead, anything else when a frame is due. Who owns
    it calls its ``cleanup``.
    """
    if source.is_opus():
        live = not isinstance(source, library.files)
        return open_opus_provider(_reader(source), encoder=encoder, live=live)
    return _HostAudio(source, library, encoder)


class _HostAudio(PcmProvider):
    """PCM of a host's source. The volume of a transformer is applied by the player: at once."""

    def __init__(self, source: Any, library: Library, encoder: EncoderOptions) -> None:
        self._transformers: list[Any] = []
        own_read = library.volume_transformer.read
        while isinstance(source, library.volume_transformer) and type(source).read is own_read:
            self._transformers.append(source)
            source = source.original
        self._known_gain = self._gain_of_transformers()
        self._read = _reader(source)
        is_live = not isinstance(source, library.files)
        super().__init__(self._read_on, 1.0, encoder, is_live, None)

    def _read_on(self) -> bytes:
        pcm = self._read()
        self._notice_volume()
        return pcm

    @property
    def _gain(self) -> float:
        return super()._gain * self._gain_of_transformers()

    def _gain_of_transformers(self) -> float:
        gain = 1.0
        for transformer in self._transformers:
            gain *= min(transformer.volume, LOUDEST)
        return gain

    def _notice_volume(self) -> None:
        gain = self._gain_of_transformers()
        if gain != self._known_gain:
            self._known_gain = gain
            if self._volume_changed is not None:
                self._volume_changed()


def _reader(source: Any) -> Callable[[], bytes]:
    def read() -> bytes:
        data: bytes = source.read()
        if not data:
            # discord.py notes there what FFmpeg has died of.
            failed = getattr(source, "_current_error", None)
            if isinstance(failed, Exception):
                raise failed
        return data

    return read
