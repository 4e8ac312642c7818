from collections.abc import Iterable
from typing import Final

from typing_extensions import Buffer

__all__ = [
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "SPEAKER_FLAGS",
    "abs_send_time_element",
    "audio_level_element",
    "build_extensions",
    "parse_extensions",
    "read_abs_send_time",
    "read_audio_level",
    "read_speaker_flags",
    "speaker_flags_element",
]

AUDIO_LEVEL: Final[int]
ABS_SEND_TIME: Final[int]
SPEAKER_FLAGS: Final[int]

def parse_extensions(profile: int, body: Buffer, /) -> tuple[tuple[int, bytes], ...]: ...
def build_extensions(elements: Iterable[tuple[int, bytes]], profile: int = 0xBEDE, /) -> bytes: ...
def audio_level_element(level: int, voice: bool = True) -> tuple[int, bytes]: ...
def abs_send_time_element(seconds: float) -> tuple[int, bytes]: ...
def speaker_flags_element(flags: int) -> tuple[int, bytes]: ...
def read_audio_level(elements: Iterable[tuple[int, bytes]], /) -> tuple[int, bool] | None: ...
def read_abs_send_time(elements: Iterable[tuple[int, bytes]], /) -> float | None: ...
def read_speaker_flags(elements: Iterable[tuple[int, bytes]], /) -> int | None: ...
