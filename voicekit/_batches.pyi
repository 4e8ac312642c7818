from typing import Self, final

__all__ = ["OpenBatch", "SealBatch"]

# Their methods are for other Cython modules.
@final
class SealBatch:
    def __new__(cls) -> Self: ...
    @property
    def packets(self) -> list[bytes]: ...

@final
class OpenBatch:
    def __new__(cls) -> Self: ...
