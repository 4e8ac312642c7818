"""Processes of the benchmarks: commands as JSON lines on stdin, answers on stdout."""
