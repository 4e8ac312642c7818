"""`Voice.play` through the pacers: in C, in a Python thread, and in the event loop in memory."""

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from voicekit.config import Config
from voicekit.errors import LocalProtocolError, MediaError
from voicekit.events import AudioStopped, SpeakingStarted, SpeakingStopped
from voicekit.pacer import LatePolicy, Pacer
from voicekit.pacer._native import AVAILABLE
from voicekit.trio import Listening, connect

from .calls import (
    EARS,
    MOUTH,
    SILENCE,
    Packets,
    account,
    collect,
    in_memory,
    info,
    numbered,
    running_server,
    until,
)
from .memory_network import MemoryNetwork

LISTENER = Config(receive_only=True)
PATIENCE = 20


@pytest.fixture(
    params=[True, False] if AVAILABLE else [False], ids=lambda n: "C" if n else "Python"
)
def pacer(request: pytest.FixtureRequest) -> Iterator[Pacer]:
    with Pacer(native=request.param) as pacer:
        yield pacer


class Blocking(Packets):
    """The same, from a thread."""

    blocking = True


@pytest.mark.parametrize("kind", [Packets, Blocking])
@pytest.mark.parametrize("count", [0, 1, 4, 60])
def test_every_frame_is_sent_once_and_then_silence(
    pacer: Pacer, kind: type[Packets], count: int
) -> None:
    async def main() -> None:
        heard: list[bytes] = []
        expected = numbered(count) + (SILENCE if count else [])
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url, EARS), config=LISTENER) as ears,
                connect(info(listening.url, MOUTH), pacer=pacer) as mouth,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                await mouth.play(kind(numbered(count)))
                assert mouth.frames_played == count
                assert pacer.stats().streams == 0
                assert not mouth.connection.lent
                await until(lambda: len(heard) == len(expected))
                nursery.cancel_scope.cancel()
        assert heard == expected

    trio.run(main)


def test_a_session_made_anew_goes_on_at_the_same_frame(pacer: Pacer) -> None:
    async def main() -> None:
        heard: list[bytes] = []
        packets = numbered(60)
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url, EARS), config=LISTENER) as ears,
                connect(info(listening.url, MOUTH), pacer=pacer) as mouth,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                async with trio.open_nursery() as playing:
                    playing.start_soon(mouth.play, Packets(packets))
                    await until(lambda: len(heard) > 10)
                    ssrc = mouth.connection.ssrc
                    # A new session: another key, SSRC and socket.
                    mouth.update_voice_server("another token", listening.url)
                await until(lambda: heard[-5:] == SILENCE)
                assert mouth.connection.ssrc != ssrc
                nursery.cancel_scope.cancel()
        assert heard == packets + SILENCE
        assert mouth.frames_played == 60

    trio.run(main)


def test_nobody_else_sends_while_it_plays(pacer: Pacer) -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url), pacer=pacer) as voice,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(voice.play, Packets(numbered(1000)))
                await until(lambda: voice.frames_played > 0)
                with pytest.raises(LocalProtocolError, match="pacer"):
                    voice.send_audio(numbered(1)[0])
                with pytest.raises(LocalProtocolError, match="play"):
                    voice.stop_audio()
                assert voice.connection.lent
                nursery.cancel_scope.cancel()
            assert account(listening).packets_bad == {}

    trio.run(main)


def test_audio_can_be_sent_by_hand_after_a_play(pacer: Pacer) -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url), pacer=pacer) as voice,
            ):
                await voice.play(Packets(numbered(3)))
                assert voice.send_audio(numbered(1)[0])
                await until(lambda: account(listening).packets_valid == 9)
            assert account(listening).packets_bad == {}
            assert account(listening).packets_valid == 9 + 5

    trio.run(main)


def test_a_program_that_computes_is_not_heard() -> None:
    if not AVAILABLE:
        pytest.skip("no native pacer")

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url, EARS), config=LISTENER) as ears,
                connect(info(listening.url, MOUTH)) as mouth,
                trio.open_nursery() as nursery,
            ):
                frames = ears.frames()
                nursery.start_soon(
                    lambda: mouth.play(Packets(numbered(40)), ring=1.0)  # type: ignore[misc]
                )
                await until(lambda: mouth.frames_played > 2)
                before = mouth.frames_played
                until_then = time.monotonic() + 0.3
                while time.monotonic() < until_then:
                    pass  # the whole event loop stands still, and holds the GIL
                assert mouth.frames_played - before >= 10
                for number in range(40):
                    assert (await frames.receive()).opus == numbered(40)[number]

    trio.run(main)


def test_speaking_arrives_before_the_first_packet_and_ends_after_the_last() -> None:
    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with (
            connect(info(listening.url, EARS), config=LISTENER, network=network) as ears,
            connect(info(listening.url, MOUTH), network=network) as mouth,
        ):
            events = ears.events()
            await mouth.play(Packets(numbered(10)))
            await trio.sleep(1)
            await ears.aclose()
            story = [event async for event in events]
            speaking = [event for event in story if isinstance(event, SpeakingStarted)]
            assert [event.user_id for event in speaking] == [MOUTH]
            assert SpeakingStopped in map(type, story)
        # Nothing had to be held until somebody said whose it was.
        assert ears.stats().drops == {}

    in_memory(use)


def test_a_dry_source_is_heard_as_silence_and_goes_on() -> None:
    class Slow(Blocking):
        """Three packets and a pause, again and again."""

        def __init__(self, packets: list[bytes]) -> None:
            super().__init__(packets)
            self.count = 0

        def read(self) -> bytes | None:
            if self.count and self.count % 3 == 0:
                time.sleep(0.25)
            self.count += 1
            return super().read()

    async def main() -> None:
        heard: list[bytes] = []
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url, EARS), config=LISTENER) as ears,
                connect(info(listening.url, MOUTH)) as mouth,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                await mouth.play(Slow(numbered(9)))
                await until(lambda: heard[-6:] == [numbered(9)[-1], *SILENCE])
                nursery.cancel_scope.cancel()
        assert [opus for opus in heard if opus not in SILENCE] == numbered(9)
        assert heard.count(SILENCE[0]) > 5, "silence in between, too"

    trio.run(main)


def test_what_progress_raises_ends_the_play_after_what_was_queued() -> None:
    async def use(listening: Listening, network: MemoryNetwork) -> None:
        def stumble(seconds: float) -> None:
            if seconds > 0.2:
                raise ZeroDivisionError

        async with connect(info(listening.url), network=network) as voice:
            with pytest.raises(ZeroDivisionError):
                await voice.play(Packets(numbered(1000)), progress=stumble)
            assert 10 < voice.frames_played < 30
            await voice.play(Packets(numbered(5)))
        assert account(listening).packets_bad == {}

    in_memory(use)


@pytest.mark.parametrize("ring", [0.0, 1.5])
def test_a_ring_of_another_size_than_there_is_is_refused(ring: float) -> None:
    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with connect(info(listening.url), network=network) as voice:
            with pytest.raises(ValueError, match="depth"):
                await voice.play(Packets(numbered(5)), ring=ring)
            await voice.play(Packets(numbered(5)))
            assert account(listening).packets_valid == 10

    in_memory(use)


@pytest.mark.parametrize("ring", [0.06, 1.0])
def test_no_more_is_read_than_the_ring_holds(ring: float) -> None:
    class Counted(Packets):
        reads = 0

        def read(self) -> bytes | None:
            self.reads += 1
            return super().read()

    async def use(listening: Listening, network: MemoryNetwork) -> None:
        source = Counted(numbered(200))
        async with (
            connect(info(listening.url), network=network) as voice,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(lambda: voice.play(source, ring=ring))  # type: ignore[misc]
            await trio.sleep(2)
            ahead = source.reads - voice.frames_played
            assert ring * 50 / 2 - 1 <= ahead <= ring * 50
            nursery.cancel_scope.cancel()

    in_memory(use)


@pytest.mark.parametrize("late", LatePolicy)
def test_each_late_policy_keeps_what_it_promises(late: LatePolicy) -> None:
    clock = MockClock(autojump_threshold=0)

    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with (
            connect(info(listening.url, EARS), config=LISTENER, network=network) as ears,
            connect(info(listening.url, MOUTH), network=network) as mouth,
            trio.open_nursery() as nursery,
        ):
            frames = ears.frames()
            nursery.start_soon(
                lambda: mouth.play(Packets(numbered(100)), ring=1.0, late=late)  # type: ignore[misc]
            )
            await trio.sleep(0.51)
            clock.jump(0.5)
            await trio.sleep(3)
            await ears.aclose()
            arrived = [frame.arrived async for frame in frames]
        lost = 24 if late is LatePolicy.SKIP else 0
        assert len(arrived) == pytest.approx(105 - lost, abs=1)
        gaps = sorted(later - earlier for earlier, later in pairwise(arrived))
        assert gaps[0] >= (0.0195 if late is LatePolicy.REBASE else 0.0099)
        assert gaps[-2] == pytest.approx(0.02, abs=0.001)

    in_memory(use, clock=clock)


def test_audio_stopped_is_told_once() -> None:
    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with connect(info(listening.url), network=network) as voice:
            events = voice.events()
            await voice.play(Packets(numbered(5)))
            await voice.aclose()
            story = [type(event) async for event in events]
        assert story.count(AudioStopped) == 2, "for the play, and for leaving"

    in_memory(use)


def test_a_source_that_breaks_at_once_is_an_error_and_nothing_is_left(pacer: Pacer) -> None:
    class Broken(Packets):
        def read(self) -> bytes | None:
            raise MediaError("cut off")

    class BrokenInThread(Broken):
        blocking = True

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url), pacer=pacer) as voice,
            ):
                for kind in (Broken, BrokenInThread):
                    with pytest.raises(MediaError, match="cut off"):
                        await voice.play(kind([]))
                assert pacer.stats().streams == 0
                await voice.play(Packets(numbered(2)))
            assert account(listening).packets_valid == 7

    trio.run(main)
