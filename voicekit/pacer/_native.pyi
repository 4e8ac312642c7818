from typing_extensions import disjoint_base

from ._loop import Loop

__all__ = ["AVAILABLE", "NativeLoop"]

AVAILABLE: bool

@disjoint_base
class NativeLoop(Loop):
    def __init__(self, cpu: int | None = None, realtime: bool = False) -> None: ...
