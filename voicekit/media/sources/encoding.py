"""How sources encode: `EncoderOptions`. Importing this does not load libopus."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ..._rtp import SAMPLE_RATE
from ..pcm import CHANNELS

if TYPE_CHECKING:
    from ...opus import Encoder

__all__ = ["EncoderOptions"]

Application = Literal["audio", "voip", "restricted_lowdelay"]
Bandwidth = Literal["auto", "narrowband", "mediumband", "wideband", "superwideband", "fullband"]
Signal = Literal["auto", "voice", "music"]
Fec = Literal["off", "voice", "always"]

#: libopus's OPUS_SET_INBAND_FEC.
_FEC_NUMBERS: dict[Fec, int] = {"off": 0, "always": 1, "voice": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderOptions:
    """How Opus is encoded; the defaults are right for music, and good for speech.

    ``dataclasses.replace`` makes a changed copy. Raises ``ValueError`` for what libopus would
    refuse.
    """

    #: What for: ``"voip"`` for speech, ``"restricted_lowdelay"`` never uses the voice modes.
    application: Application = "audio"
    #: Bits per second, 500 to 512000. Discord's channels have 8000 to 384000; 128000 stereo is
    #: where Opus stops being told from the original.
    bitrate: int | Literal["auto", "max"] = 128_000
    #: The widest audio that is sent: 4, 6, 8, 12, 20 kHz.
    bandwidth: Bandwidth = "auto"
    #: A hint what it is.
    signal: Signal = "auto"
    #: Forward error correction: each packet repeats the one before it, coarsely. ``"voice"``
    #: leaves music alone, and is off before libopus 1.4; ``"always"`` forces the voice modes, at
    #: three times the CPU. It needs ``expected_loss`` to do anything.
    fec: Fec = "off"
    #: Percent of packets that get lost, 0 to 100.
    expected_loss: int = 0
    #: Let receivers' reports (RTCP) raise the expected loss above ``expected_loss``.
    follow_reports: bool = True
    #: CPU against quality, 0 to 10; 9 is libopus's own choice.
    complexity: int = 9
    #: Send next to nothing during silence. Only the voice modes do.
    dtx: bool = False

    def __post_init__(self) -> None:
        for name, kind in (
            ("application", Application),
            ("bandwidth", Bandwidth),
            ("signal", Signal),
            ("fec", Fec),
        ):
            if (value := getattr(self, name)) not in get_args(kind):
                allowed = ", ".join(map(repr, get_args(kind)))
                raise ValueError(f"{name} is one of {allowed}, not {value!r}")
        if self.bitrate not in ("auto", "max"):
            self._check_within("bitrate", 500, 512_000)
        self._check_within("expected_loss", 0, 100)
        self._check_within("complexity", 0, 10)

    def make(self) -> "Encoder":
        """Return an encoder for 48 kHz stereo. Raises `OpusNotFound` where there is no libopus."""
        from ...opus import Encoder

        encoder = Encoder(SAMPLE_RATE, CHANNELS, self.application)
        self.apply(encoder)
        return encoder

    def apply(self, encoder: "Encoder") -> None:
        """Set all but the application, which a running encoder can not change."""
        from ...opus import OpusError

        encoder.bitrate = self.bitrate
        encoder.bandwidth = self.bandwidth
        encoder.signal = self.signal
        try:
            encoder.inband_fec = _FEC_NUMBERS[self.fec]
        except OpusError:
            if self.fec != "voice":
                raise
            encoder.inband_fec = 0
        encoder.packet_loss_perc = self.expected_loss
        encoder.complexity = self.complexity
        encoder.dtx = self.dtx

    def loss_to_expect(self, reported: float) -> int:
        """Return the percentage for an encoder whose receivers report a loss of 0 to 1."""
        if not (math.isfinite(reported) and 0 <= reported <= 1):
            raise ValueError(f"a reported loss is 0 to 1, not {reported!r}")
        if not self.follow_reports:
            return self.expected_loss
        return max(self.expected_loss, math.ceil(reported * 100))

    def _check_within(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name} is {low} to {high}, not {value!r}")
