"""`Voice.play` through the pacers: in C, in a Python thread, and in the event loop in memory."""

import time
from collections.abc import Iterator
from functools import partial

import pytest
import trio

from voicekit.config import Config
from voicekit.errors import LocalProtocolError, MediaError
from voicekit.pacer import Pacer
from voicekit.pacer._native import AVAILABLE
from voicekit.trio import Voice, connect

from .calls import (
    EARS,
    MOUTH,
    SILENCE,
    Packets,
    account,
    collect,
    info,
    numbered,
    running_server,
    until,
)

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
                await mouth.play(kind(numbered(count)), ring=1.0)
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
                    playing.start_soon(partial(mouth.play, Packets(packets), ring=1.0))
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


def queued(voice: Voice) -> int:
    return 0 if voice.player.stream is None else voice.player.stream.queued


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
                nursery.start_soon(partial(mouth.play, Packets(numbered(1000)), ring=1.0))
                await until(lambda: mouth.frames_played > 2 and queued(mouth) > 20)
                enough = mouth.frames_played + 10
                end = time.monotonic() + PATIENCE
                while mouth.frames_played < enough:
                    # The whole event loop stands still, and holds the GIL.
                    assert time.monotonic() < end
                for packet in numbered(40):
                    assert (await frames.receive()).opus == packet
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_with_a_deep_ring_audio_begins_when_more_is_there() -> None:
    class Hesitant(Blocking):
        count = 0

        def read(self) -> bytes | None:
            self.count += 1
            if self.count == 11:
                time.sleep(0.4)  # twice as long as what it gave lasts
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
                await mouth.play(Hesitant(numbered(40)), ring=1.0)
                await until(lambda: len(heard) >= 45)
                nursery.cancel_scope.cancel()
        assert heard == numbered(40) + SILENCE

    trio.run(main)


def test_a_dry_source_is_heard_as_silence_and_goes_on() -> None:
    heard: list[bytes] = []

    class Slow(Blocking):
        """Four packets (1, 1 and 2 in one go) and a pause until there is silence, twice."""

        def __init__(self, packets: list[bytes]) -> None:
            super().__init__(packets)
            self.count = 0

        def read(self) -> bytes | None:
            if self.count in (4, 8):
                end = time.monotonic() + PATIENCE
                while heard.count(SILENCE[0]) < self.count // 4 * 5 and time.monotonic() < end:
                    time.sleep(0.005)
            self.count += 1
            return super().read()

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url, EARS), config=LISTENER) as ears,
                connect(info(listening.url, MOUTH)) as mouth,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                await mouth.play(Slow(numbered(12)))
                await until(lambda: heard[-6:] == [numbered(12)[-1], *SILENCE])
                nursery.cancel_scope.cancel()
        assert [opus for opus in heard if opus not in SILENCE] == numbered(12)
        assert heard.count(SILENCE[0]) >= 15, "silence in between, too"

    trio.run(main)


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
