"""How much memory this process has."""

import os

__all__ = ["resident"]


def resident() -> int:
    """Return the memory of this process that is really there, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
