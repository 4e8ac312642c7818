"""Frames as a connection hands them out, and Opus packets to put into them."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from voicekit._frame import AudioFrame
from voicekit.opus import Decoder, Encoder

USER = 42


def encoded(pcm: npt.NDArray[np.int16], *, frame: int = 960, bitrate: int = 128_000) -> list[bytes]:
    """Encode stereo samples; what does not fill a frame is left out."""
    encoder = Encoder()
    encoder.bitrate = bitrate
    whole = np.ascontiguousarray(pcm[: len(pcm) // frame * frame])
    return [encoder.encode(whole[at : at + frame]) for at in range(0, len(whole), frame)]


def decoded(packets: Iterable[bytes]) -> npt.NDArray[np.int16]:
    decoder = Decoder()
    pcm = b"".join(decoder.decode(packet) for packet in packets)
    return np.frombuffer(pcm, np.int16).reshape(-1, 2)


def frames(
    packets: Iterable[bytes],
    *,
    user_id: int = USER,
    ssrc: int = 7,
    sequence: int = 65_530,
    rtp_time: int = 2**32 - 9600,
    arrived: float = 1000.0,
    step: int = 960,
) -> Iterator[AudioFrame]:
    """Put packets on the wire, one every 20 ms, across the wraps of both counters."""
    for n, packet in enumerate(packets):
        yield AudioFrame(
            user_id,
            ssrc,
            packet,
            sequence=sequence + n,
            rtp_time=rtp_time + step * n,
            arrived=arrived + step * n / 48_000,
        )
