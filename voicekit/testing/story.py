"""What happened lately, for the message of a failing test."""

from collections import deque

__all__ = ["DriveFailed", "Story"]


class DriveFailed(AssertionError):
    """A `Pair` did not get where it was driven to; the text tells the story."""


class Story:
    """The last events of a `Pair`. Kept as tuples; only a failure formats them."""

    def __init__(self, length: int = 60) -> None:
        self._lines: deque[tuple[float, str, str, object]] = deque(maxlen=length)

    def add(self, now: float, who: str, what: str, detail: object = "") -> None:
        """Note that ``who`` did ``what``; ``detail`` is formatted by its repr when told."""
        self._lines.append((now, who, what, detail))

    def tell(self) -> str:
        """Return one line per happening, oldest first."""
        return "\n".join(
            f"  {now:12.4f}  {who:<10} {what} {_short(detail)}".rstrip()
            for now, who, what, detail in self._lines
        )


def _short(detail: object, limit: int = 160) -> str:
    text = detail if isinstance(detail, str) else repr(detail)
    return text if len(text) <= limit else f"{text[:limit]}…"
