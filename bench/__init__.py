"""Benchmarks, run from a checkout: ``python -m bench``. No part of an installed voicekit."""
