"""Signals, not trust: what is played is measured in what was recorded."""
