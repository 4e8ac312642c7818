"""Settings for all tests."""

from hypothesis import settings

# A deadline per example fails on a busy machine and says nothing about the code.
settings.register_profile("voicekit", deadline=None)
settings.load_profile("voicekit")
