"""opuslib: its Encoder and Decoder, over the libopus that voicekit loads."""

from collections.abc import Callable
from importlib.metadata import version

import voicekit.opus  # noqa: F401  before opuslib: has it load that library

import opuslib  # isort: skip

from ...peer_worker import serve
from .codec import BITRATE, CHANNELS, SAMPLES, Frames

Codec = Callable[[bytes], bytes]


def encode() -> Codec:
    encoder = opuslib.Encoder(48_000, CHANNELS, opuslib.APPLICATION_AUDIO)
    encoder.bitrate = BITRATE
    return lambda pcm: encoder.encode(pcm, SAMPLES)


def decode() -> Codec:
    decoder = opuslib.Decoder(48_000, CHANNELS)
    return lambda packet: decoder.decode(packet, SAMPLES)


if __name__ == "__main__":
    work = {"opus/encode": Frames(encode), "opus/decode": Frames(decode)}
    serve("opuslib", version("opuslib"), work)
