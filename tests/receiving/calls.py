"""Frames of several users, and the loop that an event loop would run around an engine."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from voicekit import AudioFrame, Lost
from voicekit.codes import SILENCE_FRAME
from voicekit.events import Event
from voicekit.media.receiving import Speech, SpeechEvent, Ticker, Utterances, VoiceTick

ALICE, BOB, CAROL = 11, 22, 33
FRAME = 960
PACKET = b"\xfc" + bytes(80)

Happening = AudioFrame | tuple[Event, float]


def frame(
    user: int,
    n: int,
    sent: float,
    *,
    ssrc: int | None = None,
    delay: float = 0.0,
    opus: bytes = PACKET,
    duration: int = FRAME,
    audio_level: int | None = None,
) -> AudioFrame:
    """Frame ``n`` of a user, spoken at ``sent``. By default the user's id is the SSRC, too."""
    return AudioFrame(
        user,
        user if ssrc is None else ssrc,
        opus,
        n,
        round(sent * 48_000),
        duration,
        audio_level=audio_level,
        arrived=sent + delay,
    )


def talk(
    user: int, start: float, count: int, *, first: int = 0, silence: int = 5, **keywords: Any
) -> list[AudioFrame]:
    """Return ``count`` frames of speech and the frames of silence that end it."""
    frames = [frame(user, first + n, start + n * 0.02, **keywords) for n in range(count)]
    keywords["opus"] = SILENCE_FRAME
    return frames + [
        frame(user, first + n, start + n * 0.02, **keywords) for n in range(count, count + silence)
    ]


def run(
    engine: Ticker | Utterances,
    happenings: Iterable[Happening],
    *,
    until: float = math.inf,
    asked: Callable[[], float] | None = None,
    check: Callable[[], object] = lambda: None,
) -> list[Any]:
    """Drive an engine at its timeouts, or only now and then: each ``asked()`` seconds."""
    out: list[Any] = []
    looks = 0.0

    def look(now: float) -> None:
        engine.handle_timeout(now)
        while (event := engine.poll()) is not None:
            out.append(event)

    def wait(end: float) -> None:
        nonlocal looks
        while True:
            due = engine.next_timeout()
            if asked is not None:
                due = looks
                looks += asked()
            if due is None or due > end:
                return
            look(due)

    for happening in sorted(happenings, key=_time_of):
        wait(min(_time_of(happening), until))
        if isinstance(happening, AudioFrame):
            engine.receive_frame(happening)
        else:
            engine.receive_event(*happening)
        check()
    wait(until)
    if until < math.inf:
        look(until)
    return out


def _time_of(happening: Happening) -> float:
    return happening.arrived if isinstance(happening, AudioFrame) else happening[1]


def items(ticks: list[VoiceTick], user: int) -> list[AudioFrame | Lost]:
    """Return all that a user said, tick after tick."""
    return [item for tick in ticks for item in tick.speaking.get(user, ())]


def numbers(heard: list[AudioFrame | Lost]) -> list[int | tuple[int, int]]:
    """Return the sequence numbers; of what was lost, the first and how many."""
    return [
        (item.sequence, item.packets) if isinstance(item, Lost) else item.sequence for item in heard
    ]


def said(events: list[SpeechEvent], user: int) -> list[AudioFrame | Lost]:
    return [event.item for event in events if isinstance(event, Speech) and event.user_id == user]
