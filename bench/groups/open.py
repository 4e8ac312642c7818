"""Receiving: from a datagram to an `AudioFrame`."""

from collections.abc import Callable, Iterator, Mapping

import dave

from voicekit._crypto import TransportCipher, available_modes

from .. import libraries
from .._limit import Packets
from ..beside import Beside
from ..in_session import Call
from ..options import Options
from ..results import Row
from ..rounds import Timing, Work, batched, consuming
from .seal import BATCH, C_NAME, LABELS

__all__ = ["run"]

#: Packets that are there at a time; they stay in the second-level cache, as a burst would.
MOST = 1024
HEADER = 12
#: The header and the first word of the extension, which stay in clear.
EXTENDED_HEADER = 16


def run(options: Options) -> Iterator[Row]:
    """Each cipher: plain packets, packets with a header extension, end-to-end encrypted ones."""
    for cipher, mode in libraries.CIPHERS.items():
        if mode in available_modes():
            yield from _bare(options, cipher)
            yield from _datagrams(options, cipher)
            yield from _datagrams(options, cipher, extension=True)
            yield from _end_to_end(options, cipher)


def _bare(options: Options, cipher: str) -> Iterator[Row]:
    """The cipher object alone, and what else the loop in C could call."""
    label = LABELS[cipher]
    call = Call(cipher)
    key = call.receiver_key
    packets = call.packets(MOST)
    raw = Packets(packets)
    limit = libraries.sodium(cipher, key)
    others: dict[str, Work] = {}
    if cipher == "aes":
        keyed = libraries.sodium("aes", key, scheduled=False)
        others["libsodium in C, schedule for each packet"] = lambda n: keyed.open(raw, n)
        try:
            openssl = libraries.openssl("aes", key)
        except LookupError:
            pass
        else:
            others["OpenSSL in C, AES-256-GCM"] = lambda n: openssl.open(raw, n)
    work: dict[str, Work] = {
        "limit": lambda n: limit.open(raw, n),
        "bare": consuming(
            lambda n: packets[:n],
            "cipher.open(item, header)",
            cipher=TransportCipher(libraries.CIPHERS[cipher], key),
            header=HEADER,
        ),
        **others,
    }
    peers = Beside(options.peers, f"bare-open/{cipher}")
    found = options.measure(work | peers.work, most=MOST)
    c, c_name = found["limit"], C_NAME[cipher]
    yield Row.timed(
        "open",
        f"{label}: TransportCipher.open",
        found["bare"],
        limit=c,
        limit_name=c_name,
        budget="bare open",
    )
    for name in others:
        yield Row.timed("open", f"{label}: {name}", found[name], limit=c, limit_name=c_name)
    yield from peers.rows("open", f"{label}: the cipher", found, found["bare"])


def _datagrams(options: Options, cipher: str, *, extension: bool = False) -> Iterator[Row]:
    label = LABELS[cipher] + ", header extension" * extension
    call = Call(cipher)
    bare = Call(cipher)  # what is in it goes past its receiver
    raw = Packets(bare.packets(MOST, extension=extension))
    limit = libraries.sodium(cipher, bare.receiver_key)
    clear = EXTENDED_HEADER if extension else HEADER
    work: dict[str, Work] = {
        "limit": lambda n: limit.open(raw, n, clear),
        **_opening(call, lambda n: call.packets(n, extension=extension)),
    }
    task = f"open{'+extension' * extension}/{cipher}"
    peers = Beside(options.peers, task)
    found = options.measure(work | peers.work, most=MOST)
    call.check()
    yield from _rows(label, found, C_NAME[cipher])
    # Its XChaCha20 beside our AES would be no like.
    budgets = {"discord-ext-voice-recv": "voice-recv"} if cipher == "xchacha" else {}
    yield from peers.rows(
        "open", f"{label}: a datagram", found, found["connection"], budgets=budgets
    )


def _end_to_end(options: Options, cipher: str) -> Iterator[Row]:
    """The limit calls libsodium, and libdave's own method with what comes of it."""
    label = f"{LABELS[cipher]} + DAVE"
    call = Call(cipher, dave=True)
    bare = Call(cipher, dave=True)  # what is in it goes past its receiver
    limit = libraries.sodium(cipher, bare.receiver_key)
    decrypt = bare.decryptor().decrypt

    def limited(n: int) -> float:
        packets = Packets(bare.packets(n))  # each but once: libdave refuses a nonce it has seen
        return limit.open_before(packets, decrypt, dave.MediaType.audio)

    work: dict[str, Work] = {"limit": limited, **_opening(call, call.packets)}
    peers = Beside(options.peers, f"open+dave/{cipher}")
    found = options.measure(work | peers.work, most=MOST)
    call.check()
    yield from _rows(label, found, "C: libsodium, then libdave's decrypt")
    yield from peers.rows("open", f"{label}: a datagram", found, found["connection"])


def _opening(call: Call, packets: Callable[[int], list[bytes]]) -> dict[str, Work]:
    """Return the work of a connection that opens datagrams, one by one and in batches."""
    connection = call.receiver
    one_by_one = {
        "connection": consuming(
            packets, "connection.open_datagram(item, now)", connection=connection, now=call.now
        ),
    }
    batches = consuming(
        lambda n: [packets(BATCH) for _ in range(n)],
        "connection.open_many(item, now)",
        connection=connection,
        now=call.now,
    )
    return {**one_by_one, "batch": batched(batches, BATCH)}


def _rows(label: str, found: Mapping[str, Timing], limit_name: str) -> Iterator[Row]:
    """Return the rows of what `_opening` has measured."""
    for name, what, budget in (
        ("connection", "VoiceConnection.open_datagram", "open_datagram"),
        ("batch", f"VoiceConnection.open_many, of {BATCH}", ""),
    ):
        yield Row.timed(
            "open",
            f"{label}: {what}",
            found[name],
            limit=found["limit"],
            limit_name=limit_name,
            budget=budget,
        )
