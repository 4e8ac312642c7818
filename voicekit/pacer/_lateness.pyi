from typing import Self, final

from .stats import Lateness

__all__ = ["Histogram"]

@final
class Histogram:
    def __new__(cls) -> Self: ...
    def merge(self, other: Histogram) -> None: ...
    def read(self) -> Lateness: ...
