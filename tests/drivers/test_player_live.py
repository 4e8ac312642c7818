"""Live sources are read when they are due, and no sooner."""

from voicekit.driver.playing import PlayingCall as Voice
from voicekit.media import PushSource, open_opus_provider, open_provider
from voicekit.media.player import (
    SourceFailed,
)

from .libraries import lib
from .players import Song, decoded, in_call, levels, packets, tone


def test_a_live_source_is_asked_when_a_frame_is_due_and_not_before() -> None:
    ahead: list[int] = []

    async def use(voice: Voice, heard: list[bytes]) -> None:
        song = iter(packets(1, 100))
        asked = 0

        def provide() -> bytes | None:
            nonlocal asked
            asked += 1
            ahead.append(asked - voice.frames_played)
            return next(song, None)

        source = open_opus_provider(provide)
        source.blocking = False
        await voice.player.play(source)

    assert in_call(use) == packets(1, 100)
    assert max(ahead) <= 3
    assert len(ahead) == 101


def test_a_deep_ring_holds_no_more_of_a_live_source() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        source = PushSource(lead_in=0)
        voice.player.ring = 1.0
        await voice.player.play(source)
        await lib.sleep(0.5)
        assert source.push(tone(0.2)) == 4 * 9600
        pushed = voice.frames_played
        await lib.sleep(1)
        source.end()
        await voice.player.wait_for_stopped()
        loud = levels(decoded(heard)) > 1000
        assert pushed + 1 <= loud.argmax() <= pushed + 4
        assert 9 <= loud.sum() <= 12

    in_call(use)


def test_what_is_pushed_comes_after_the_lead_in() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        source = PushSource(lead_in=0.1)
        source.push(tone(0.5))
        source.end()
        await voice.player.play(source, wait_finish=True)
        assert voice.frames_played == 30
        loud = levels(decoded(heard)) > 1000
        assert loud.argmax() == 5

    in_call(use)


def test_a_provider_of_samples_and_what_it_raises() -> None:
    left = [tone(0.02).tobytes()] * 10
    ends: list[Exception | None] = []

    def provide() -> bytes | None:
        if not left:
            raise RuntimeError("nobody speaks")
        return left.pop()

    async def use(voice: Voice, heard: list[bytes]) -> None:
        events = voice.player.events()
        source = open_provider(provide)
        source.blocking = False
        await voice.player.play(source, after=ends.append)
        voice.player.queue.append(Song(2, 5))
        await voice.player.wait_for_stopped()
        failed = [event for event in events.take() if isinstance(event, SourceFailed)]
        assert isinstance(failed[0].error.__cause__, RuntimeError)

    spoken = in_call(use)
    assert len(spoken) == 15
    assert spoken[10:] == packets(2, 5)
    assert "nobody speaks" in str(ends[0])
