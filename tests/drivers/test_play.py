"""`Voice.play` in memory: when frames leave, what is read ahead, and what ends it."""

from itertools import pairwise

import pytest

from voicekit.config import Config
from voicekit.events import AudioStopped, SpeakingStarted, SpeakingStopped
from voicekit.pacer import LatePolicy

from ..trio.calls import EARS, MOUTH, Packets, account, info, numbered
from .libraries import Listening, Network, lib

LISTENER = Config(receive_only=True)


def test_speaking_arrives_before_the_first_packet_and_ends_after_the_last() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, EARS), config=LISTENER, network=network) as ears,
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
        ):
            events = ears.events()
            await mouth.play(Packets(numbered(10)))
            await lib.sleep(1)
            await ears.aclose()
            story = [event async for event in events]
            speaking = [event for event in story if isinstance(event, SpeakingStarted)]
            assert [event.user_id for event in speaking] == [MOUTH]
            assert SpeakingStopped in map(type, story)
        # Nothing had to be held until somebody said whose it was.
        assert ears.stats().drops == {}

    lib.in_memory(use)


def test_what_progress_raises_ends_the_play_after_what_was_queued() -> None:
    async def use(listening: Listening, network: Network) -> None:
        def stumble(seconds: float) -> None:
            if seconds > 0.2:
                raise ZeroDivisionError

        async with lib.connect(info(listening.url), network=network) as voice:
            with pytest.raises(ZeroDivisionError):
                await voice.play(Packets(numbered(1000)), progress=stumble)
            assert 10 < voice.frames_played < 30
            await voice.play(Packets(numbered(5)))
        assert account(listening).packets_bad == {}

    lib.in_memory(use)


@pytest.mark.parametrize("ring", [0.0, 1.5])
def test_a_ring_of_another_size_than_there_is_is_refused(ring: float) -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            with pytest.raises(ValueError, match="depth"):
                await voice.play(Packets(numbered(5)), ring=ring)
            await voice.play(Packets(numbered(5)))
            assert account(listening).packets_valid == 10

    lib.in_memory(use)


@pytest.mark.parametrize("ring", [0.06, 1.0])
def test_no_more_is_read_than_the_ring_holds(ring: float) -> None:
    class Counted(Packets):
        reads = 0

        def read(self) -> bytes | None:
            self.reads += 1
            return super().read()

    async def use(listening: Listening, network: Network) -> None:
        source = Counted(numbered(200))
        async with (
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(lambda: voice.play(source, ring=ring))  # type: ignore[misc]
            await lib.sleep(2)
            ahead = source.reads - voice.frames_played
            assert ring * 50 / 2 - 1 <= ahead <= ring * 50
            nursery.cancel_scope.cancel()

    lib.in_memory(use)


@pytest.mark.parametrize("late", LatePolicy)
def test_each_late_policy_keeps_what_it_promises(late: LatePolicy) -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, EARS), config=LISTENER, network=network) as ears,
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.open_nursery() as nursery,
        ):
            frames = ears.frames()
            nursery.start_soon(
                lambda: mouth.play(Packets(numbered(100)), ring=1.0, late=late)  # type: ignore[misc]
            )
            await lib.sleep(0.51)
            lib.jump(0.5)
            await lib.sleep(3)
            await ears.aclose()
            arrived = [frame.arrived async for frame in frames]
        lost = 24 if late is LatePolicy.SKIP else 0
        assert len(arrived) == pytest.approx(105 - lost, abs=1)
        gaps = sorted(later - earlier for earlier, later in pairwise(arrived))
        assert gaps[0] >= (0.0195 if late is LatePolicy.REBASE else 0.0099)
        assert gaps[-2] == pytest.approx(0.02, abs=0.001)

    lib.in_memory(use)


def test_audio_stopped_is_told_once() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            events = voice.events()
            await voice.play(Packets(numbered(5)))
            await voice.aclose()
            story = [type(event) async for event in events]
        assert story.count(AudioStopped) == 2, "for the play, and for leaving"

    lib.in_memory(use)
