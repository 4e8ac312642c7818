"""`seal_many` and `open_many`: each packet as `seal` and `open` would have made it."""

import pytest

from voicekit._crypto import TransportCipher
from voicekit.errors import LocalProtocolError, NonceExhausted

from .backends import BACKENDS, KEY, XCHACHA

every_backend = pytest.mark.parametrize(("mode", "ask"), [row[:2] for row in BACKENDS])

PAIRS = [(bytes([number]) * 12, b"payload" * number) for number in range(70)]


@every_backend
def test_a_batch_is_what_its_packets_are_one_by_one(mode: str, ask: str) -> None:
    many, single = (TransportCipher(mode, KEY, nonce_start=5, backend=ask) for _ in range(2))
    sealed = many.seal_many(PAIRS)
    assert sealed == [single.seal(header, payload) for header, payload in PAIRS]
    assert many.counter.value == single.counter.value
    assert single.open_many(sealed, 12) == [payload for _, payload in PAIRS]


@every_backend
def test_a_large_batch_too(mode: str, ask: str) -> None:
    pairs = [(b"header", bytes([number]) * 60_000) for number in range(90)]
    many, single = (TransportCipher(mode, KEY, nonce_start=5, backend=ask) for _ in range(2))
    sealed = many.seal_many(pairs)
    assert sealed == [single.seal(header, payload) for header, payload in pairs]
    assert many.open_many(sealed, 6) == [payload for _, payload in pairs]


@every_backend
def test_what_can_not_be_opened_is_none_and_harms_no_other(mode: str, ask: str) -> None:
    cipher = TransportCipher(mode, KEY, backend=ask)
    good = cipher.seal(b"head", b"payload")
    bad = good[:-1] + bytes([good[-1] ^ 1])
    packets = [good, bad, b"", good[:23], bytearray(good), bad]
    assert cipher.open_many(packets, 4) == [b"payload", None, None, None, b"payload", None]


def test_a_batch_is_all_or_nothing_where_nonces_run_out() -> None:
    cipher = TransportCipher(XCHACHA, KEY, nonce_start=2**31 - 3)
    with pytest.raises(NonceExhausted):
        cipher.seal_many([(b"", b"")] * 4)
    with pytest.raises(NonceExhausted):
        cipher.seal(b"", b"")


def test_empty_batches() -> None:
    cipher = TransportCipher(XCHACHA, KEY)
    assert cipher.seal_many([]) == []
    assert cipher.open_many([], 12) == []


def test_wrong_calls() -> None:
    cipher = TransportCipher(XCHACHA, KEY, nonce_start=0)
    for pairs in (None, [b"abc"], [(b"",)], [("text", b"")]):
        with pytest.raises((TypeError, ValueError)):
            cipher.seal_many(pairs)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="below 0"):
        cipher.open_many([b""], -1)
    with pytest.raises(TypeError):
        cipher.open_many([None], 0)  # type: ignore[list-item]
    assert cipher.counter.value == 0
    cipher.close()
    for call in (lambda: cipher.seal_many([]), lambda: cipher.open_many([], 0)):
        with pytest.raises(LocalProtocolError):
            call()
