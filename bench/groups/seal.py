"""Sending: from an Opus packet to a datagram."""

from collections.abc import Iterator

import dave

from voicekit._crypto import TransportCipher, available_modes
from voicekit._session import RtpSession

from .. import libraries
from ..beside import Beside
from ..in_session import DAVE_SSRC, PAYLOAD, Call
from ..options import Options
from ..results import Row
from ..rounds import Work, batched, statement

__all__ = ["LABELS", "run"]

#: How the ciphers are called in the tables.
LABELS = {"aes": "AES", "xchacha": "XChaCha20"}

KEY = bytes(range(32))
HEADER = bytes.fromhex("80780001000003c000000001")
BATCH = 64
C_NAME = {"aes": "C: libsodium, schedule computed once", "xchacha": "C: libsodium"}


def run(options: Options) -> Iterator[Row]:
    """Each cipher in clear calls, then in end-to-end encrypted ones."""
    for cipher, mode in libraries.CIPHERS.items():
        if mode in available_modes():
            yield from _in_clear(options, cipher)
            yield from _end_to_end(options, cipher)


def _in_clear(options: Options, cipher: str) -> Iterator[Row]:
    label = LABELS[cipher]
    call = Call(cipher)
    mode = libraries.CIPHERS[cipher]
    session = RtpSession(1)
    session.set_key(mode, KEY)
    limit = libraries.sodium(cipher, KEY)
    frames = [PAYLOAD] * BATCH
    names = {"opus": PAYLOAD, "frames": frames, "now": call.now}
    work: dict[str, Work] = {
        "limit": lambda n: limit.seal(PAYLOAD, n),
        "bare": statement(
            "cipher.seal(header, opus)",
            cipher=TransportCipher(mode, KEY),
            header=HEADER,
            opus=PAYLOAD,
        ),
        "session": statement("session.seal_audio(opus, now)", session=session, **names),
        "connection": statement(
            "connection.seal_audio(opus, now)", connection=call.sender, **names
        ),
        "batch": batched(
            statement("connection.seal_many(frames, now)", connection=call.sender, **names), BATCH
        ),
        **_other_limits(cipher),
    }
    peers = Beside(options.peers, f"seal/{cipher}")
    bare_peers = Beside(options.peers, f"bare-seal/{cipher}")
    work |= peers.work | bare_peers.work
    found = options.measure(work)

    c, c_name = found["limit"], C_NAME[cipher]
    for name, what, budget in (
        ("bare", f"{label}: TransportCipher.seal", "bare seal"),
        ("session", f"{label}: RtpSession.seal_audio", ""),
        ("connection", f"{label}: VoiceConnection.seal_audio", "seal_audio"),
        ("batch", f"{label}: VoiceConnection.seal_many, of {BATCH}", "seal_many"),
    ):
        yield Row.timed("seal", what, found[name], limit=c, limit_name=c_name, budget=budget)
    for name in _other_limits(cipher):
        yield Row.timed("seal", f"{label}: {name}", found[name], limit=c, limit_name=c_name)
    budgets = {"discord.py": f"discord.py {cipher}"}
    yield from peers.rows("seal", f"{label}: a packet", found, found["connection"], budgets=budgets)
    yield from bare_peers.rows("seal", f"{label}: the cipher", found, found["bare"])


def _end_to_end(options: Options, cipher: str) -> Iterator[Row]:
    """The limit calls libdave's own method, and libsodium with what comes of it."""
    label = f"{LABELS[cipher]} + DAVE"
    call = Call(cipher, dave=True)
    limit = libraries.sodium(cipher, KEY)
    names = {"opus": PAYLOAD, "frames": [PAYLOAD] * BATCH, "now": call.now}
    encryptor = call.encryptor()
    work: dict[str, Work] = {
        "limit": lambda n: limit.seal_after(
            encryptor.encrypt, dave.MediaType.audio, DAVE_SSRC, PAYLOAD, n
        ),
        "connection": statement(
            "connection.seal_audio(opus, now)", connection=call.sender, **names
        ),
        "batch": batched(
            statement("connection.seal_many(frames, now)", connection=call.sender, **names), BATCH
        ),
    }
    peers = Beside(options.peers, f"seal+dave/{cipher}")
    work |= peers.work
    found = options.measure(work)
    for name, what, budget in (
        ("connection", "VoiceConnection.seal_audio", "seal_audio"),
        ("batch", f"VoiceConnection.seal_many, of {BATCH}", "seal_many"),
    ):
        yield Row.timed(
            "seal",
            f"{label}: {what}",
            found[name],
            limit=found["limit"],
            limit_name="C: libdave's encrypt, then libsodium",
            budget=budget,
        )
    yield from peers.rows("seal", f"{label}: a packet", found, found["connection"])


def _other_limits(cipher: str) -> dict[str, Work]:
    """Return what else the C loop could call, for comparison."""
    others: dict[str, Work] = {}
    if cipher == "aes":
        keyed = libraries.sodium("aes", KEY, scheduled=False)
        others["libsodium in C, schedule for each packet"] = lambda n: keyed.seal(PAYLOAD, n)
    name, evp = ("AES-256-GCM", "aes") if cipher == "aes" else ("ChaCha20-Poly1305", "chacha")
    try:
        openssl = libraries.openssl(evp, KEY)
    except LookupError:
        return others
    others[f"OpenSSL in C, {name}"] = lambda n: openssl.seal(PAYLOAD, n)
    return others
