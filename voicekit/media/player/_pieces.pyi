from collections.abc import Callable
from threading import Lock
from typing import final

from ..sources import Frames
from .frames import State
from .track import Track

__all__ = ["Passed", "Piece", "Waiting", "last_frame"]

class Piece:
    def __init__(
        self,
        samples: int,
        place: float,
        lap: int,
        pcm: bytes | None = None,
        whole: Passed | None = None,
        cut: int = 0,
    ) -> None: ...
    @property
    def samples(self) -> int: ...
    @property
    def place(self) -> float: ...
    @property
    def lap(self) -> int: ...
    pcm: bytes | None
    @property
    def whole(self) -> Passed | None: ...
    @property
    def cut(self) -> int: ...
    @property
    def packet(self) -> bytes | None: ...
    def split(self, samples: int, pcm: bytes) -> tuple[Piece, Piece]: ...

@final
class Passed(Piece):
    lasting: tuple[()]
    notes: tuple[()]
    popped: tuple[()]
    saved: None
    lead: bytes
    @property
    def packet(self) -> bytes: ...
    @property
    def track(self) -> Track: ...
    @property
    def age(self) -> int: ...
    @property
    def state(self) -> State: ...
    @property
    def number(self) -> int: ...
    @property
    def recent(self) -> tuple[bytes, ...]: ...
    def put_back(self) -> None: ...
    def heard(self) -> bytes: ...

class Waiting:
    source: Frames | None
    rendered: int
    _pieces: list[Piece]
    _samples: int
    _lock: Lock
    _ended: bool
    _target: float | None
    _generation: int
    _lap: int
    _read_in_lap: int
    _packets: int
    _is_at_end: bool
    _has_position: bool
    _reads_plainly: Callable[[], bytes | None] | None
    def _source_place(self) -> float: ...
    def _forget_recent(self) -> None: ...
    def _passed(self, packet: bytes, place: float) -> Passed: ...

def last_frame(pcm: bytes) -> bytes: ...
