"""The codec: what we add to libopus, and what its settings cost."""

import ctypes
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from voicekit.opus import APPLICATIONS, Decoder, Encoder
from voicekit.opus_packet import opus_mode

from .. import libraries
from .._limit import Packets, opus_decode, opus_encode
from ..beside import Beside
from ..music import FRAMES, music
from ..options import Options
from ..results import Row
from ..rounds import Work, batched, interleave, statement

__all__ = ["SETTINGS", "run"]

BITRATE = 128_000
SAMPLES = 960
CHANNELS = 2
#: The largest packet of one frame (RFC 6716 section 3.2), and its samples.
PACKET_ROOM, PCM_ROOM = 1276, SAMPLES * CHANNELS * 2
LIMIT = "C: libopus in a loop"
SET_BITRATE = 4002  # opus_defines.h

#: The table of settings: how an encoder differs from the one that `open_source` makes.
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "signal music": {"signal": "music"},
    "expect 15 % loss, FEC off": {"packet_loss_perc": 15},
    "FEC on, expect no loss": {"inband_fec": 1},
    "FEC on, expect 15 % loss": {"inband_fec": 1, "packet_loss_perc": 15},
    "FEC on, 15 % loss, fullband: discord.py's": {
        "inband_fec": 1,
        "packet_loss_perc": 15,
        "bandwidth": "fullband",
    },
    "FEC on, expect 15 % loss, signal music": {
        "inband_fec": 1,
        "packet_loss_perc": 15,
        "signal": "music",
    },
    "FEC for voice only, expect 15 %": {"inband_fec": 2, "packet_loss_perc": 15},
    "FEC for voice only, 15 %, signal music": {
        "inband_fec": 2,
        "packet_loss_perc": 15,
        "signal": "music",
    },
    "application voip": {"application": "voip"},
    "voip, FEC on, expect 15 % loss": {
        "application": "voip",
        "inband_fec": 1,
        "packet_loss_perc": 15,
    },
    "restricted_lowdelay": {"application": "restricted_lowdelay"},
    "complexity 5": {"complexity": 5},
    "64 kbit/s": {"bitrate": 64_000},
    "64 kbit/s, FEC on, expect 15 % loss": {
        "bitrate": 64_000,
        "inband_fec": 1,
        "packet_loss_perc": 15,
    },
}
#: Rows whose limit is another bitrate's encoder with FEC off.
_BASES = {"64 kbit/s, FEC on, expect 15 % loss": "64 kbit/s"}


def run(options: Options) -> Iterator[Row]:
    """Both directions, then the settings."""
    frames = music()
    settled = encoder()
    packets = [settled.encode(frame) for frame in frames]
    yield from _encode(options, frames)
    yield from _decode(options, packets)
    yield from _settings(options, frames)


def encoder(**settings: Any) -> Encoder:
    """Return an encoder as `open_source` makes it, but for ``settings``."""
    made = Encoder(48_000, CHANNELS, settings.pop("application", "audio"))
    made.bitrate = BITRATE
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def _passes(run_frames: Callable[[int], float]) -> Work:
    """Go through all frames each time: some are dearer than others."""
    return batched(lambda passes: run_frames(passes * FRAMES), FRAMES)


def _encode(options: Options, frames: list[bytes]) -> Iterator[Row]:
    state = _RawState("encoder", APPLICATIONS["audio"])
    state.set(SET_BITRATE, BITRATE)
    encode, pcm = libraries.opus_function("opus_encode"), Packets(frames)
    buffer = bytearray(PACKET_ROOM)
    work: dict[str, Work] = {
        "limit": _passes(lambda n: opus_encode(encode, state.address, pcm, SAMPLES, n)),
        "encode": batched(
            statement("for pcm in frames: encode(pcm)", frames=frames, encode=encoder().encode),
            FRAMES,
        ),
        "encode_into": batched(
            statement(
                "for pcm in frames: encode(pcm, buffer)",
                frames=frames,
                encode=encoder().encode_into,
                buffer=buffer,
            ),
            FRAMES,
        ),
    }
    yield from _rows(options, work, "encode", "20 ms of music, 128 kbit/s")


def _decode(options: Options, packets: list[bytes]) -> Iterator[Row]:
    state = _RawState("decoder")
    decode, raw = libraries.opus_function("opus_decode"), Packets(packets)
    work: dict[str, Work] = {
        "limit": _passes(lambda n: opus_decode(decode, state.address, raw, SAMPLES, CHANNELS, n)),
        "decode": batched(
            statement(
                "for packet in packets: decode(packet)", packets=packets, decode=Decoder().decode
            ),
            FRAMES,
        ),
        "decode_into": batched(
            statement(
                "for packet in packets: decode(packet, pcm)",
                packets=packets,
                decode=Decoder().decode_into,
                pcm=bytearray(PCM_ROOM),
            ),
            FRAMES,
        ),
    }
    yield from _rows(options, work, "decode", "20 ms of music, 128 kbit/s")


def _rows(options: Options, work: dict[str, Work], what: str, of: str) -> Iterator[Row]:
    peers = Beside(options.peers, f"opus/{what}")
    found = options.measure(work | peers.work)
    for name in (what, f"{what}_into"):
        yield Row.timed(
            "opus",
            f"{name}, {of}",
            found[name],
            "µs",
            limit=found["limit"],
            limit_name=LIMIT,
            budget=f"opus {what}",
        )
    yield from peers.rows("opus", f"{what}, {of}", found, found[what], unit="µs")


def _settings(options: Options, frames: list[bytes]) -> Iterator[Row]:
    """Each row's limit is the encoder with FEC off at the same bitrate."""
    work: dict[str, Work] = {
        name: batched(
            statement(
                "for pcm in frames: encode(pcm)",
                frames=frames,
                encode=encoder(**settings).encode,
            ),
            FRAMES,
        )
        for name, settings in {"FEC off": {"inband_fec": 0}, **SETTINGS}.items()
    }
    found = interleave(work, rounds=max(5, options.rounds // 3), seconds=options.round_seconds)
    for name, settings in SETTINGS.items():
        base = _BASES.get(name, "FEC off")
        yield Row.timed(
            "opus",
            f"settings: {name}",
            found[name],
            "µs",
            limit=found[base],
            limit_name="FEC off" if base == "FEC off" else base,
            budget="opus defaults" if name == "defaults" else "",
            note=_describe(encoder(**settings), frames),
        )


def _describe(made: Encoder, frames: list[bytes]) -> str:
    """Return which modes the packets of two seconds have, and their mean size."""
    packets = [made.encode(frame) for frame in frames * 4]
    modes = Counter(map(opus_mode, packets))
    share = ", ".join(
        f"{mode} {100 * count / len(packets):.0f} %" for mode, count in modes.most_common()
    )
    return f"{share}; {sum(map(len, packets)) / len(packets):.0f} bytes"


class _RawState:
    """An encoder or decoder of libopus itself, 48 kHz, stereo."""

    def __init__(self, kind: str, *application: int) -> None:
        error = ctypes.c_int()
        numbers = [ctypes.c_int] * len(application)
        create = ctypes.CFUNCTYPE(
            ctypes.c_void_p, ctypes.c_int32, ctypes.c_int, *numbers, ctypes.POINTER(ctypes.c_int)
        )(libraries.opus_function(f"opus_{kind}_create"))
        self._kind = kind
        self.address: int = create(48_000, CHANNELS, *application, ctypes.byref(error)) or 0
        if not self.address:
            raise OSError(f"opus_{kind}_create: error {error.value}")

    def set(self, request: int, value: int) -> None:
        import opuslib.api

        control = getattr(opuslib.api.libopus, f"opus_{self._kind}_ctl")  # variadic: not by type
        error = control(ctypes.c_void_p(self.address), request, ctypes.c_int32(value))
        if error:
            raise ValueError(f"request {request}, value {value}: error {error}")

    def __del__(self) -> None:
        if self.address:
            destroy = libraries.opus_function(f"opus_{self._kind}_destroy")
            ctypes.CFUNCTYPE(None, ctypes.c_void_p)(destroy)(self.address)
