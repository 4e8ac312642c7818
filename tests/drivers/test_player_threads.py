"""Sources in threads, in real time: slow ones, stalled ones, files."""

import io
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.media.files import wav
from voicekit.driver.playing import PlayingCall as Voice
from voicekit.errors import MediaError, PlaybackError
from voicekit.media import AudioSource, open_opus_provider
from voicekit.media.player import (
    EndReason,
    SourceFailed,
    Stalled,
    TrackEnded,
)

from ..trio.calls import EARS, SILENCE, collect, info
from .libraries import lib, until
from .players import Song, packets, tone

PATIENCE = 30


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
        with lib.fail_after(PATIENCE):
            async with (
                lib.real_server() as listening,
                lib.connect(info(listening.url, EARS)) as ears,
                lib.connect(info(listening.url)) as mouth,
                lib.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                await use(mouth, heard)
                await mouth.player.wait_for_stopped()
                await until(lambda: len(spoken(heard)) == mouth.frames_played)
                nursery.cancel_scope.cancel()

    lib.run_real(main)
    return spoken(heard)


def spoken(heard: list[bytes]) -> list[bytes]:
    return [packet for packet in heard if packet != SILENCE[0]]


def test_a_source_that_stalls_is_told_given_up_and_followed_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What it has given lasts 0.2 s; that it ran dry has to show before it is given up.
    monkeypatch.setattr("voicekit.driver.reading.STALL_TIMEOUT", 3.0)
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
        assert "gave nothing for 3 s" in str(ended.error)
        assert voice.connection.is_ready
        stuck.release.set()

    assert on_sockets(use) == packets(1, 10) + packets(2, 10)


def test_live_sources_begin_when_it_is_their_turn_in_the_queue() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        for tag in (1, 2):
            left = packets(tag, 25)
            provide = lambda left=left: left.pop(0) if left else None  # noqa: E731
            voice.player.queue.append(open_opus_provider(provide))
        await voice.player.wait_for_stopped()

    assert on_sockets(use) == packets(1, 25) + packets(2, 25)


def test_skipping_a_stalled_source_waits_for_nobody() -> None:
    stuck = Stuck(1, 10)

    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(stuck)
        voice.player.queue.append(Song(2, 10))
        await until(lambda: voice.frames_played == 10)
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
        await lib.sleep(0.2)
        player.seek(9.8)

    heard = on_sockets(use)
    first = [packet for packet in heard if packet[1] == 1]
    assert first[:-10] == packets(1, len(first) - 10)
    assert first[-10:] == packets(1, 500)[490:]
    assert heard[len(first) :] == packets(2, 30) + packets(3, 10)


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
        with lib.fail_after(PATIENCE):
            async with lib.real_server() as listening, lib.connect(info(listening.url)) as voice:
                await voice.player.play(file, wait_finish=True)  # type: ignore[arg-type]
                assert voice.frames_played == 15
                voice.player.volume = 0.5
                await voice.player.play(wav(tone(0.1)), wait_finish=True)
                assert voice.frames_played == 20
        assert file.threads
        assert threading.get_ident() not in file.threads

    lib.run_real(main)


def test_what_can_not_be_opened_is_told_and_left_out() -> None:
    ends: list[Exception | None] = []

    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        events = player.events()
        with pytest.raises(MediaError, match=r"nowhere\.ogg"):
            await player.play("nowhere.ogg")
        assert not player.is_playing
        player.queue.append("nowhere.ogg", after=ends.append)
        player.queue.append(wav(tone(0.1)), after=ends.append)
        await player.wait_for_stopped()
        (failed,) = [event for event in events.take() if isinstance(event, SourceFailed)]
        assert failed.source == "nowhere.ogg"
        assert isinstance(failed.error, PlaybackError)

    assert len(on_sockets(use)) == 5
    assert [type(error) for error in ends] == [PlaybackError, type(None)]


@pytest.mark.parametrize("way", ["stop", "leave"])
def test_a_stuck_source_holds_up_neither_stop_nor_leaving(way: str) -> None:
    stuck = Stuck(1, 10)

    async def main() -> None:
        with lib.fail_after(PATIENCE):
            async with lib.real_server() as listening, lib.connect(info(listening.url)) as voice:
                await voice.player.play(stuck)
                await lib.sleep(0.4)
                began = lib.current_time()
                if way == "stop":
                    voice.player.stop()
                    await voice.player.wait_for_stopped()
                else:
                    await voice.aclose()
                assert lib.current_time() - began < PATIENCE / 3  # what it would have waited
        stuck.release.set()

    lib.run_real(main)


def test_a_file_is_closed_when_the_call_ends_under_it(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav(tone(5.0)))

    async def main() -> AudioSource:
        with lib.fail_after(PATIENCE):
            async with lib.real_server() as listening, lib.connect(info(listening.url)) as voice:
                await voice.player.play(path)
                await lib.sleep(0.2)
                source = voice.player.current_audio
                assert isinstance(source, AudioSource)
                assert not source.closed
            assert source.closed
            return source

    source = lib.run_real(main)
    source.volume = 0.5  # nobody is told any more
