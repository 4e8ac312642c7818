from collections.abc import Callable

__all__ = ["AES", "BINDINGS", "XCHACHA"]

AES: str
XCHACHA: str
# Mode: public seal, public open, bytes of nonce.
BINDINGS: dict[str, tuple[Callable[..., bytes], Callable[..., bytes], int]]
