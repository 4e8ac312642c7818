"""The ring of who speaks stays on, or the frames of silence are missing.

discord.js#3376, koe#10, DiscordPHP PR#752: whoever stops sends five frames of silence, so that
decoders fade out rather than conceal, and then Speaking 0. Item 35 of the list of what users suffer
from. Here that is one call, and leaving does it, too.
"""

import json

import pytest

from voicekit.codes import SILENCE_FRAME, Opcode
from voicekit.connection import VoiceConnection
from voicekit.events import AudioStopped, Event, SpeakingStarted, SpeakingStopped
from voicekit.outputs import Output, SendText
from voicekit.testing import Client, Pair

FRAME = 0.02


class Told(VoiceConnection):
    """A connection that remembers what it tells the gateway of its speaking."""

    def poll(self) -> Output | Event | None:
        item = super().poll()
        if isinstance(item, SendText):
            message = json.loads(item.text)
            if message["op"] == Opcode.SPEAKING:
                self.__dict__.setdefault("flags", []).append(message["d"]["speaking"])
        return item


def two() -> tuple[Pair, Client, Client]:
    pair = Pair(clients=2, make_connection=Told)
    pair.connect()
    mouth, ears = pair.clients
    return pair, mouth, ears


@pytest.mark.parametrize("frames", [1, 50])
def test_five_frames_of_silence_come_20_ms_apart_and_then_nobody_speaks(frames: int) -> None:
    pair, mouth, ears = two()
    pair.play(mouth, frames)
    pair.drive(frames * FRAME - 0.01)
    pair.stop_audio(mouth)
    pair.drive(2.0)
    tail = ears.frames[frames:]
    assert [frame.opus for frame in tail] == [SILENCE_FRAME] * 5
    steps = [b.rtp_time - a.rtp_time for a, b in zip(ears.frames, ears.frames[1:], strict=False)]
    assert steps == [960] * (frames + 4)
    assert [later.arrived - tail[0].arrived for later in tail] == pytest.approx(
        [FRAME * n for n in range(5)]
    )
    assert len(mouth.events_of(AudioStopped)) == 1
    started, stopped = ears.events_of(SpeakingStarted), ears.events_of(SpeakingStopped)
    assert len(started) == len(stopped) == 1


def test_discord_js_3376_stopping_twice_or_in_silence_leaves_nothing_on() -> None:
    pair, mouth, ears = two()
    for _ in range(3):
        pair.play(mouth, 10)
        pair.drive(10 * FRAME)
        pair.stop_audio(mouth)
        pair.stop_audio(mouth)
        pair.drive(1.0)
        pair.stop_audio(mouth)
        pair.drive(1.0)
    assert len(ears.frames) == 3 * 15
    assert len(ears.events_of(SpeakingStarted)) == len(ears.events_of(SpeakingStopped)) == 3
    assert mouth.connection.__dict__["flags"] == [1, 0] * 3


def test_koe_10_who_vanishes_in_the_middle_of_a_word_does_not_speak_for_ever() -> None:
    pair, mouth, ears = two()
    pair.play(mouth, 1000)
    pair.drive(1.0)
    pair.fail_udp(mouth)
    pair.drop_websocket(mouth)
    pair.drive(0.4)
    assert len(ears.events_of(SpeakingStopped)) == 1
