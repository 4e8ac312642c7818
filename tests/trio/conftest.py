"""Fixtures of this folder."""

from ..certificates import certificates

__all__ = ["certificates"]
