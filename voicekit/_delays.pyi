from typing import final

__all__ = ["Delays"]

@final
class Delays:
    def __new__(
        cls, initial: float, maximum: float, late_share: float, memory: float
    ) -> Delays: ...
    @property
    def quantile(self) -> float: ...
    @property
    def least(self) -> float: ...
    def observe(self, transit: float, duration: float, now: float) -> None: ...
