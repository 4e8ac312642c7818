from typing import Self, final

__all__ = ["Outbox"]

# Its methods are for other Cython modules.
@final
class Outbox:
    def __new__(cls, limit: int, report: bool) -> Self: ...
    @property
    def size(self) -> int: ...
