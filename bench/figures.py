"""A figure as text."""

__all__ = ["figure", "signed"]


def figure(value: float | None, unit: str = "") -> str:
    """Return a figure with three digits that mean something."""
    if value is None:
        return ""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    text = f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{text} {unit}".rstrip()


def signed(value: float | None) -> str:
    """Return a difference, its sign always in front."""
    return "" if value is None else f"{'-' if value < 0 else '+'}{figure(abs(value))}"
