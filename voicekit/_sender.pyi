from typing import Self, final

from .dave import DaveSession

__all__ = ["Sender"]

# Its methods are for other Cython modules.
@final
class Sender:
    def __new__(cls, dave: DaveSession | None, slack: float) -> Self: ...
