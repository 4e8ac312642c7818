from types import TracebackType
from typing import Self, final

from ._stream import Stream

__all__ = ["Notifier"]

@final
class Notifier:
    def __new__(cls) -> Self: ...
    def fileno(self) -> int: ...
    def take(self) -> list[Stream]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
