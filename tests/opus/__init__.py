"""Opus. The tests compare with opuslib, which can be imported once libopus is found."""

from voicekit.opus_library import load_library

load_library()
