"""Mutations of bytes and of JSON values, all from one seeded generator."""

import ctypes
import json
from collections.abc import Callable
from random import Random
from typing import Any

#: Values at which lengths, counters and flags turn over.
EDGES_8 = (0, 1, 2, 0x0F, 0x10, 0x7F, 0x80, 0x90, 0xBE, 0xC0, 0xC8, 0xDF, 0xFE, 0xFF)
EDGES_16 = (0, 1, 0x7FFF, 0x8000, 0xBEDE, 0x1000, 0xFFFE, 0xFFFF)
EDGES_32 = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x0001_0046, 0x0002_0046, 0x1337CAFE)


def flip_bit(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def set_edge(data: bytearray, random: Random) -> None:
    size = random.choice((1, 1, 2, 4))
    if len(data) >= size:
        at = random.randrange(len(data) - size + 1)
        edges = {1: EDGES_8, 2: EDGES_16, 4: EDGES_32}[size]
        data[at : at + size] = random.choice(edges).to_bytes(size, "big")


def set_edge_in_header(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(min(len(data), 16))] = random.choice(EDGES_8)


def truncate(data: bytearray, random: Random) -> None:
    if data:
        del data[random.randrange(len(data)) :]


def remove(data: bytearray, random: Random) -> None:
    if data:
        at = random.randrange(len(data))
        del data[at : at + random.randint(1, 8)]


def insert(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.randbytes(random.randint(1, 8))


def extend(data: bytearray, random: Random) -> None:
    data += random.randbytes(random.choice((1, 4, 20, 300)))


def repeat(data: bytearray, random: Random) -> None:
    if data:
        at = random.randrange(len(data))
        data += data[at : at + random.randint(1, 64)]


def set_last(data: bytearray, random: Random) -> None:
    """The padding count of RTP and RTCP is the last byte."""
    if data:
        data[-1] = random.choice((0, 1, len(data) & 0xFF, len(data) - 1 & 0xFF, 255))


MUTATIONS: tuple[Callable[[bytearray, Random], None], ...] = (
    flip_bit,
    flip_bit,
    set_edge,
    set_edge_in_header,
    truncate,
    remove,
    insert,
    extend,
    repeat,
    set_last,
)


def mutate_bytes(data: bytes, random: Random) -> bytes:
    mutated = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(MUTATIONS)(mutated, random)
    return bytes(mutated)


def exactly(data: bytes) -> memoryview:
    """Return ``data`` in memory that ends where it ends, so that a sanitizer sees one byte more.

    Bytes objects end in a zero of their own, and arrays are given room to grow.
    """
    return memoryview((ctypes.c_ubyte * len(data)).from_buffer_copy(data)).cast("B")


# -- JSON -----------------------------------------------------------------------

ODD_NUMBERS = (
    0,
    -1,
    1,
    0.5,
    -0.0,
    255,
    256,
    65535,
    65536,
    2**31,
    2**32 - 1,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    1e9,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
)
ODD_STRINGS = (
    "",
    "0",
    "-1",
    "x" * 5000,
    "9" * 25,
    "\0",
    "\ud800",
    "é",
    "true",
    "198.51.100.7",
    "any",
)


def odd_value(random: Random) -> Any:
    return random.choice(
        (
            None,
            True,
            False,
            [],
            {},
            [None],
            {"": None},
            [[[[]]]],
            random.choice(ODD_NUMBERS),
            random.choice(ODD_NUMBERS),
            random.choice(ODD_STRINGS),
            random.getrandbits(random.choice((8, 16, 32, 64))),
        )
    )


def mutate_json(value: Any, random: Random) -> Any:
    """Return ``value`` with one member somewhere inside of it changed."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        changed = dict(value)
        key = random.choice(list(changed))
        action = random.random()
        if action < 0.15:
            del changed[key]
        elif action < 0.25:
            changed[random.choice(("op", "d", "seq", "user_id", "extra"))] = odd_value(random)
        else:
            changed[key] = mutate_json(changed[key], random)
        return changed
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        action = random.random()
        if action < 0.2:
            return value[:at] + value[at + 1 :]
        if action < 0.4:
            return value + value[at : at + 1] * random.choice((1, 33, 2000))
        return [*value[:at], mutate_json(value[at], random), *value[at + 1 :]]
    if isinstance(value, int) and random.random() < 0.4:
        return value + random.choice((-1, 1, 256, -256, 65536))
    return odd_value(random)


def mutate_text(text: str, random: Random) -> str:
    """Return ``text`` damaged as text: what comes out is rarely JSON."""
    action = random.randrange(6)
    at = random.randint(0, len(text))
    if action == 0:
        return text[:at]
    if action == 1:
        return text[:at] + random.choice('{}[]",:\\\0\ud800é0e-') + text[at:]
    if action == 2:
        return text[:at] + text[at + random.randint(1, 5) :]
    if action == 3:
        return text + text
    if action == 4:
        return "[" * random.choice((10, 1000, 100_000)) + text
    return json.dumps(text)
