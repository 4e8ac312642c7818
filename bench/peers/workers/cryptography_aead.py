"""cryptography: AES-256-GCM of OpenSSL, and the packet put together."""

import cryptography
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...peer_worker import HEADER, KEY, Task, serve

NO_XCHACHA = "it has ChaCha20-Poly1305, and no XChaCha20"
cipher = AESGCM(KEY)
NONCE = bytes(4)

if __name__ == "__main__":
    serve(
        "cryptography",
        cryptography.__version__,
        {
            "bare-seal/aes": Task(
                "header + encrypt(nonce, data, header) + counter",
                encrypt=cipher.encrypt,
                nonce=NONCE + bytes(8),
                header=HEADER,
                counter=NONCE,
            ),
            "bare-open/aes": Task(
                "decrypt(data[-4:] + zeros, data[12:-4], data[:12])",
                decrypt=cipher.decrypt,
                zeros=bytes(8),
            ),
        },
        {"bare-seal/xchacha": NO_XCHACHA, "bare-open/xchacha": NO_XCHACHA},
    )
