"""Listening to a call: everybody in ticks of 20 ms, or each in utterances. No clock, no tasks."""

from .config import ListenConfig
from .one_user import OneUser
from .speech import EndReason, Speech, SpeechBegan, SpeechEnded, SpeechEvent, Utterances
from .ticks import TICK, Ticker, VoiceTick
from .users import UserFilter

__all__ = [
    "TICK",
    "EndReason",
    "ListenConfig",
    "OneUser",
    "Speech",
    "SpeechBegan",
    "SpeechEnded",
    "SpeechEvent",
    "Ticker",
    "UserFilter",
    "Utterances",
    "VoiceTick",
]
