"""The C copies of keys are gone after close, and when a cipher is forgotten."""

import secrets

import pytest

from voicekit import _sodium
from voicekit._crypto import TransportCipher
from voicekit.errors import LocalProtocolError

from .backends import BACKENDS
from .memory import linux_only, read_memory, secret_address

IN_C = [(mode, ask) for mode, ask, got in BACKENDS if got != "bindings"]
# AES-256 puts the key itself into its first two round keys.
SECRET_SIZE = 512


@linux_only
@pytest.mark.parametrize(("mode", "ask"), IN_C)
def test_close_overwrites_the_key(mode, ask):
    key = secrets.token_bytes(32)
    cipher = TransportCipher(mode, key, backend=ask)
    address = secret_address(cipher)
    assert key[:16] in read_memory(address, SECRET_SIZE)
    cipher.close()
    assert read_memory(address, SECRET_SIZE) == bytes(SECRET_SIZE)


@linux_only
@pytest.mark.parametrize(("mode", "ask"), IN_C)
def test_forgetting_a_cipher_overwrites_the_key(mode, ask):
    key = secrets.token_bytes(32)
    cipher = TransportCipher(mode, key, backend=ask)
    address = secret_address(cipher)
    assert key[:16] in read_memory(address, SECRET_SIZE)
    del cipher
    assert key[:16] not in read_memory(address, SECRET_SIZE)


@pytest.mark.parametrize("mode", sorted({mode for mode, _, _ in BACKENDS}))
@pytest.mark.parametrize("end", ["close", "forget"])
def test_the_copy_for_the_bindings_is_overwritten(mode, end, monkeypatch):
    # The bindings want a bytes object. Ours is a copy, which outlives the cipher here only.
    seen: list[bytes] = []

    def spy(plain, aad, nonce, key):
        seen.append(key)
        return bytes(len(plain) + 16)

    monkeypatch.setitem(_sodium.BINDINGS, mode, (spy, spy, 24))
    key = secrets.token_bytes(32)
    cipher = TransportCipher(mode, key, backend="bindings")
    cipher.seal(b"", b"")
    assert seen[0] == key
    assert seen[0] is not key
    if end == "close":
        cipher.close()
    else:
        del cipher
    assert seen[0] == bytes(32)
    assert key != bytes(32)


def test_closing_while_the_bindings_use_the_key_is_refused(monkeypatch):
    failures: list[Exception] = []

    def intruder(plain, aad, nonce, key):
        try:
            cipher.close()
        except LocalProtocolError as error:
            failures.append(error)
        return bytes(len(plain) + 16)

    mode = BACKENDS[0][0]
    monkeypatch.setitem(_sodium.BINDINGS, mode, (intruder, intruder, 24))
    cipher = TransportCipher(mode, bytes(32), backend="bindings")
    cipher.seal(b"", b"")
    assert len(failures) == 1
    cipher.close()
