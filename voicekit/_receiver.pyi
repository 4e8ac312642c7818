from typing import Self, final

from ._outbox import Outbox
from .config import Config
from .dave import DaveSession

__all__ = ["Receiver", "Stream"]

# Their methods are for other Cython modules.
@final
class Stream:
    def __new__(cls, ssrc: int, now: float) -> Self: ...

@final
class Receiver:
    def __new__(cls, outbox: Outbox, dave: DaveSession | None, config: Config) -> Self: ...
