"""Live sources, slow ones and stalled ones: read when they are due, and no call ends for them."""

import io
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.media.files import wav
from voicekit.media import PushSource, open_opus_provider, open_provider
from voicekit.media.player import (
    EndReason,
    SourceFailed,
    Stalled,
    TrackEnded,
)
from voicekit.trio import Voice, connect

from .calls import EARS, SILENCE, collect, info, running_server
from .players import Song, decoded, in_call, levels, packets, tone

PATIENCE = 20


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
        await trio.sleep(0.5)
        assert source.push(tone(0.2)) == 4 * 9600
        pushed = voice.frames_played
        await trio.sleep(1)
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


class Stuck(Song):
    """Gives some packets, then nothing, in a thread."""

    blocking = True

    def __init__(self, tag: int, count: int) -> None:
        super().__init__(tag, count)
        self.release = threading.Event()

    def read(self) -> bytes | None:
        packet = super().read()
        if packet is None:
            self.release.wait(PATIENCE)
        return packet


def on_sockets(use: Callable[[Voice, list[bytes]], Awaitable[None]]) -> list[bytes]:
    """As `in_call`, in real time: threads are not waited for by a mock clock."""
    heard: list[bytes] = []

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url, EARS)) as ears,
                connect(info(listening.url)) as mouth,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                await use(mouth, heard)
                await mouth.player.wait_for_stopped()
                await trio.sleep(0.05)
                nursery.cancel_scope.cancel()

    trio.run(main)
    return [packet for packet in heard if packet != SILENCE[0]]


def test_a_source_that_stalls_is_told_given_up_and_followed_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voicekit.driver.player.STALL_TIMEOUT", 0.5)
    stuck = Stuck(1, 10)

    async def use(voice: Voice, heard: list[bytes]) -> None:
        events = voice.player.events()
        await voice.player.play(stuck)
        voice.player.queue.append(Song(2, 10))
        await voice.player.wait_for_stopped()
        story = events.take()
        assert Stalled(stuck) in story
        (ended,) = [e for e in story if isinstance(e, TrackEnded) and e.source is stuck]
        assert ended.reason is EndReason.FAILED
        assert "gave nothing for 0.5 s" in str(ended.error)
        assert voice.connection.is_ready
        stuck.release.set()

    assert on_sockets(use) == packets(1, 10) + packets(2, 10)


def test_skipping_a_stalled_source_waits_for_nobody() -> None:
    stuck = Stuck(1, 10)

    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(stuck)
        voice.player.queue.append(Song(2, 10))
        with trio.move_on_after(0.5):
            await voice.player.wait_for_stopped()
        assert voice.player.current_audio is stuck
        voice.player.skip()
        await voice.player.wait_for_stopped()
        assert not stuck.release.is_set()
        stuck.release.set()

    assert on_sockets(use) == packets(1, 10) + packets(2, 10)


class Slow(Song):
    """In a thread, and now and then too late."""

    blocking = True

    def read(self) -> bytes | None:
        if self.at and self.at % 20 == 0:
            time.sleep(0.15)
        return super().read()


class InThread(Song):
    blocking = True


def test_sources_in_threads_on_real_sockets() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        await player.play(InThread(1, 500))
        player.queue.append(Slow(2, 30))
        player.queue.append(InThread(3, 10))
        await trio.sleep(0.2)
        player.seek(9.8)

    spoken = on_sockets(use)
    first = [packet for packet in spoken if packet[1] == 1]
    assert first[:-10] == packets(1, len(first) - 10)
    assert first[-10:] == packets(1, 500)[490:]
    assert spoken[len(first) :] == packets(2, 30) + packets(3, 10)


def test_a_file_is_opened_in_a_thread_and_closed_at_the_end() -> None:
    class Watched:
        """A file object."""

        def __init__(self, data: bytes) -> None:
            self.file = io.BytesIO(data)
            self.threads: set[int] = set()

        def read(self, size: int = -1) -> bytes:
            self.threads.add(threading.get_ident())
            return self.file.read(size)

        def seek(self, at: int, whence: int = 0) -> int:
            return self.file.seek(at, whence)

        def tell(self) -> int:
            return self.file.tell()

    async def main() -> None:
        file = Watched(wav(tone(0.3)))
        with trio.fail_after(PATIENCE):
            async with running_server() as listening, connect(info(listening.url)) as voice:
                await voice.player.play(file, wait_finish=True)  # type: ignore[arg-type]
                assert voice.frames_played == 15
                voice.player.volume = 0.5
                await voice.player.play(wav(tone(0.1)), wait_finish=True)
                assert voice.frames_played == 20
        assert file.threads
        assert threading.get_ident() not in file.threads

    trio.run(main)


@pytest.mark.parametrize("way", ["stop", "leave"])
def test_a_stuck_source_holds_up_neither_stop_nor_leaving(way: str) -> None:
    stuck = Stuck(1, 10)

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with running_server() as listening, connect(info(listening.url)) as voice:
                await voice.player.play(stuck)
                await trio.sleep(0.4)
                began = trio.current_time()
                if way == "stop":
                    voice.player.stop()
                    await voice.player.wait_for_stopped()
                else:
                    await voice.aclose()
                assert trio.current_time() - began < 2
        stuck.release.set()

    trio.run(main)
