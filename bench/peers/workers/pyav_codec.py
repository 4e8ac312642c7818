"""PyAV: FFmpeg's wrapper of libopus, frames and packets made and unmade as its users do."""

from collections.abc import Callable

import av
from av.codec import CodecContext

from ...peer_worker import serve
from .codec import BITRATE, FRAME_BYTES, SAMPLES, Frames

#: libopus's own defaults, which FFmpeg changes.
OPTIONS = {"vbr": "constrained", "compression_level": "9"}

Codec = Callable[[bytes], bytes]


def encode() -> Codec:
    context = CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"
    context.bit_rate = BITRATE
    context.options = OPTIONS
    at = 0

    def do(pcm: bytes) -> bytes:
        nonlocal at
        frame = av.AudioFrame(format="s16", layout="stereo", samples=SAMPLES)
        frame.sample_rate = 48_000
        frame.pts = at
        at += SAMPLES
        frame.planes[0].update(pcm)
        return b"".join(map(bytes, context.encode(frame)))

    return do


def decode() -> Codec:
    context = CodecContext.create("libopus", "r")
    context.sample_rate, context.layout = 48_000, "stereo"

    def do(packet: bytes) -> bytes:
        # A plane is as large as its buffer, which is for frames of 120 ms.
        return b"".join(
            bytes(memoryview(frame.planes[0])[: frame.samples * FRAME_BYTES // SAMPLES])
            for frame in context.decode(av.Packet(packet))
        )

    return do


if __name__ == "__main__":
    work = {"opus/encode": Frames(encode), "opus/decode": Frames(decode)}
    serve("PyAV", av.__version__, work)
