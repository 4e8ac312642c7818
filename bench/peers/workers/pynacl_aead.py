"""PyNaCl: the cipher of a packet by its low-level functions, and the packet put together."""

import nacl
from nacl import bindings

from ...peer_worker import HEADER, KEY, Task, serve

NONCE = bytes(4)
NAMES = {"header": HEADER, "key": KEY, "counter": NONCE, "nonce": NONCE + bytes(20)}
#: The packet without what follows the ciphertext, and what precedes it.
OPEN = "decrypt(data[12:-4], data[:12], data[-4:] + zeros, key)"

encrypt = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt
decrypt = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt
work = {
    "bare-seal/xchacha": Task(
        "header + encrypt(data, header, nonce, key) + counter", encrypt=encrypt, **NAMES
    ),
    "bare-open/xchacha": Task(OPEN, decrypt=decrypt, key=KEY, zeros=bytes(20)),
}
lacks = {}
if hasattr(bindings, "crypto_aead_aes256gcm_encrypt"):
    aes = {**NAMES, "nonce": NONCE + bytes(8)}
    work["bare-seal/aes"] = Task(
        "header + encrypt(data, header, nonce, key) + counter",
        encrypt=bindings.crypto_aead_aes256gcm_encrypt,
        **aes,
    )
    work["bare-open/aes"] = Task(
        OPEN, decrypt=bindings.crypto_aead_aes256gcm_decrypt, key=KEY, zeros=bytes(8)
    )
else:
    lacks = dict.fromkeys(("bare-seal/aes", "bare-open/aes"), "PyNaCl below 1.6 has no AES-256-GCM")

if __name__ == "__main__":
    serve("PyNaCl", nacl.__version__, work, lacks)
