"""How messages are packed: each compression is undone by what a client has for it."""

import zlib

import pytest

from voicekit.outputs import SendBinary, SendText
from voicekit.testing.main.encodings import pack_for

MESSAGES = [b'{"op":10}', b'{"op":11,"d":"' + b"x" * 300_000 + b'"}', b'{"op":1}']


def packed(compression: str) -> list[bytes]:
    pack = pack_for(f"/?v=10&encoding=json&compress={compression}")
    assert callable(pack)
    outputs = [pack(3, message) for message in MESSAGES]
    assert all(isinstance(output, SendBinary) and output.link == 3 for output in outputs)
    return [output.data for output in outputs if isinstance(output, SendBinary)]


def test_plain_messages_are_text() -> None:
    pack = pack_for("/?v=10")
    assert callable(pack)
    assert [pack(1, message) for message in MESSAGES] == [
        SendText(1, message.decode()) for message in MESSAGES
    ]


def test_the_zlib_stream_ends_each_message_with_its_mark() -> None:
    stream = zlib.decompressobj()
    messages = packed("zlib-stream")
    assert all(message.endswith(b"\x00\x00\xff\xff") for message in messages)
    assert [stream.decompress(message) for message in messages] == MESSAGES


def test_the_zstd_stream_is_one_frame_of_raw_blocks() -> None:
    whole = b"".join(packed("zstd-stream"))
    assert whole[:4] == bytes.fromhex("28b52ffd")  # RFC 8878 section 3.1.1
    window = 1 << (10 + (whole[5] >> 3))
    content, at = b"", 6
    while at < len(whole):
        head = int.from_bytes(whole[at : at + 3], "little")
        size = head >> 3
        assert head & 7 == 0  # not the last block, and raw
        assert 0 < size <= min(window, 1 << 17)
        content += whole[at + 3 : at + 3 + size]
        at += 3 + size
    assert content == b"".join(MESSAGES)


@pytest.mark.parametrize("compression", ["zlib-stream", "zstd-stream"])
def test_every_connection_has_a_stream_of_its_own(compression: str) -> None:
    assert packed(compression) == packed(compression)
