"""Each test of this folder runs on both event loops."""

from tests.drivers.conftest import library

__all__ = ["library"]
