"""RTCP compound packets (RFC 3550 §6) as nested tuples that begin with their type's name."""

import struct
from typing import Any

Parsed = tuple[Any, ...]

BLOCK = struct.Struct("!IB3sIIII")


class MalformedError(Exception):
    pass


def need(condition: bool) -> None:
    if not condition:
        raise MalformedError


def parse_compound(data: bytes) -> list[Parsed]:
    packets = []
    need(len(data) > 0)
    while data:
        need(len(data) >= 4)
        first, kind, words = struct.unpack("!BBH", data[:4])
        need(first >> 6 == 2)
        size = 4 + 4 * words
        need(len(data) >= size)
        body, data = data[4:size], data[size:]
        if first & 0x20:
            need(not data and len(body) > 0)
            need(body[-1] in range(4, 256, 4) and body[-1] <= len(body))
            body = body[: len(body) - body[-1]]
        packets.append(parse_one(kind, first % 32, body))
    return packets


def parse_blocks(count: int, body: bytes) -> tuple[Parsed, ...]:
    need(len(body) >= 24 * count)
    blocks = []
    for at in range(0, 24 * count, 24):
        ssrc, fraction, lost, *others = BLOCK.unpack(body[at : at + 24])
        blocks.append((ssrc, fraction, int.from_bytes(lost, "big", signed=True), *others))
    return tuple(blocks)


def parse_one(kind: int, count: int, body: bytes) -> Parsed:
    if kind == 200:
        need(len(body) >= 24)
        fields = struct.unpack("!IQIII", body[:24])
        blocks = parse_blocks(count, body[24:])
        return ("SenderReport", *fields, blocks, body[24 + 24 * count :])
    if kind == 201:
        need(len(body) >= 4)
        blocks = parse_blocks(count, body[4:])
        return ("ReceiverReport", *struct.unpack("!I", body[:4]), blocks, body[4 + 24 * count :])
    if kind == 202:
        return ("SourceDescription", parse_chunks(count, body))
    if kind == 203:
        need(len(body) >= 4 * count)
        ssrcs = struct.unpack(f"!{count}I", body[: 4 * count])
        text = body[4 * count :]
        if not text:
            return ("Goodbye", ssrcs, b"")
        need(len(text) >= 1 + text[0])
        return ("Goodbye", ssrcs, text[1 : 1 + text[0]])
    if kind == 204:
        need(len(body) >= 8)
        return ("AppPacket", count, *struct.unpack("!I4s", body[:8]), body[8:])
    if kind in (205, 206):
        need(len(body) >= 8)
        return ("Feedback", kind, count, *struct.unpack("!II", body[:8]), body[8:])
    return ("UnknownRtcp", kind, count, body)


def parse_chunks(count: int, body: bytes) -> tuple[Parsed, ...]:
    chunks = []
    at = 0
    for _ in range(count):
        need(at + 4 <= len(body))
        (ssrc,) = struct.unpack("!I", body[at : at + 4])
        at += 4
        items = []
        while True:
            need(at < len(body))
            if body[at] == 0:
                break
            need(at + 2 <= len(body))
            kind, length = body[at], body[at + 1]
            need(at + 2 + length <= len(body))
            items.append((kind, body[at + 2 : at + 2 + length]))
            at += 2 + length
        at += 1
        while at % 4:
            at += 1
        chunks.append((ssrc, tuple(items)))
    return tuple(chunks)
