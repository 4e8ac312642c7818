from ._loop import Loop

__all__ = ["AVAILABLE", "NativeLoop"]

AVAILABLE: bool

class NativeLoop(Loop):
    def __init__(self, cpu: int | None = None) -> None: ...
