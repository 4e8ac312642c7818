from collections.abc import Iterable
from typing import Literal, NoReturn, final

from typing_extensions import Buffer

__all__ = [
    "MODES",
    "NonceCounter",
    "TransportCipher",
    "available_modes",
    "choose_mode",
]

MODES: tuple[str, ...]

def available_modes() -> tuple[str, ...]: ...
def choose_mode(offered: Iterable[str], allowed: Iterable[str] | None = None) -> str: ...

@final
class NonceCounter:
    def __init__(self, start: int, stop: int = 4294967296) -> None: ...
    def next(self) -> int: ...
    @property
    def value(self) -> int: ...
    def __reduce__(self) -> NoReturn: ...

@final
class TransportCipher:
    @property
    def mode(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def counter(self) -> NonceCounter: ...
    def __init__(
        self,
        mode: str,
        key: Buffer,
        *,
        nonce_start: int | None = None,
        backend: Literal["auto", "combined", "bindings"] = "auto",
        counter: NonceCounter | None = None,
    ) -> None: ...
    def seal(self, header: Buffer, payload: Buffer) -> bytes: ...
    def open(self, packet: Buffer, header_size: int) -> bytes: ...
    def close(self) -> None: ...
    def __reduce__(self) -> NoReturn: ...
