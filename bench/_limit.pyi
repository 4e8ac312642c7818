from collections.abc import Callable, Sequence
from typing import Any, Self, final

from typing_extensions import Buffer

__all__ = [
    "OpensslAead",
    "Packets",
    "SodiumAead",
    "opus_decode",
    "opus_encode",
    "receive_datagrams",
    "send_on_time",
]

_Encrypt = Callable[[Any, int, bytes], bytes | None]
_Decrypt = Callable[[Any, bytes], bytes | None]

@final
class Packets:
    def __new__(cls, packets: Sequence[bytes]) -> Self: ...

@final
class SodiumAead:
    def __init__(self, seal: int, open: int, schedule: int, key: bytes) -> None: ...
    def seal(self, payload: bytes, n: int) -> float: ...
    def open(self, packets: Packets, n: int, header: int = 12) -> float: ...
    def seal_after(
        self, encrypt: _Encrypt, kind: object, ssrc: int, opus: bytes, n: int
    ) -> float: ...
    def open_before(self, packets: Packets, decrypt: _Decrypt, kind: object) -> float: ...

@final
class OpensslAead:
    def __init__(self, functions: dict[str, int], cipher: int, key: bytes) -> None: ...
    def seal(self, payload: bytes, n: int) -> float: ...
    def open(self, packets: Packets, n: int, header: int = 12) -> float: ...

def opus_encode(function: int, state: int, frames: Packets, samples: int, n: int) -> float: ...
def opus_decode(
    function: int, state: int, packets: Packets, samples: int, channels: int, n: int
) -> float: ...
def receive_datagrams(
    fd: int, n: int, aead: SodiumAead | None = None, header: int = 12
) -> float: ...
def send_on_time(
    fds: Buffer, packet: bytes, begin: int, tick: int, period: int, periods: int
) -> float: ...
