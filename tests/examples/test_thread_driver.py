"""The call in a thread of its own: jobs from any thread, and nothing left when the program dies."""

import threading
import time
from typing import Any

import pytest
from msgspec.structs import replace

from voicekit.errors import AuthenticationFailed
from voicekit.events import AudioFrame
from voicekit.server import ServerConfig
from voicekit.testing import LoopbackServer

from .loading import load

thread_driver = load("thread_driver")

PATIENCE = 20.0


def packets(first: int, count: int) -> list[bytes]:
    return [b"\xfc" + n.to_bytes(4, "big") + bytes(75) for n in range(first, first + count)]


def wait_for(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def voice_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "voice"]


def test_what_two_threads_play_is_heard_one_after_the_other() -> None:
    heard: list[AudioFrame] = []

    def note(event: object) -> None:
        if isinstance(event, AudioFrame):
            heard.append(event)

    with LoopbackServer(ServerConfig(dave="required", default_channel_id=2000)) as server:
        with (
            thread_driver.ThreadedCall(server.info(2), note) as bob,
            thread_driver.ThreadedCall(server.info(1)) as alice,
        ):
            wait_for(lambda: bob.submit(lambda call: call.connection.is_ready).result(PATIENCE))
            playing: list[Any] = []

            def play(first: int) -> None:
                playing.append(alice.play(packets(first, 10)))

            threads = [threading.Thread(target=play, args=(first,)) for first in (0, 100)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            for future in playing:
                future.result(PATIENCE)
            wait_for(lambda: len(heard) == 30)
        session = next(s for s in server.stats() if s.user_id == 1)
    numbers = [int.from_bytes(f.opus[1:5], "big") for f in heard if len(f.opus) > 3]
    assert sorted(numbers) == [*range(10), *range(100, 110)]
    assert numbers[:10] in ([*range(10)], [*range(100, 110)])
    assert all(frame.e2ee for frame in heard if len(frame.opus) > 3)
    assert session.packets_bad == {}
    assert voice_threads() == []


def test_a_program_that_dies_leaves_no_thread_and_no_socket() -> None:
    class Died(Exception):
        pass

    with LoopbackServer() as server:
        playing: list[Any] = []

        def die_playing() -> None:
            with thread_driver.ThreadedCall(server.info(1)) as call:
                playing.append(call.play(packets(0, 10_000)))
                wait_for(lambda: server.stats() and server.stats()[0].packets_valid > 3)
                raise Died

        with pytest.raises(Died):
            die_playing()
        assert playing[0].result(0) is None, "the audio was ended, with silence"
        (session,) = server.stats()
        wait_for(lambda: server.call(lambda core, now: not core._board.sessions))
    assert 3 < session.packets_valid < 1000
    assert session.packets_bad == {}
    assert voice_threads() == []


def test_what_ended_the_call_is_told_to_who_plays() -> None:
    with LoopbackServer(ServerConfig(token="another")) as server:
        info = replace(server.info(1), token="wrong")
        with thread_driver.ThreadedCall(info) as call:
            with pytest.raises(AuthenticationFailed, match="4004"):
                call.play(packets(0, 10)).result(PATIENCE)
            with pytest.raises(AuthenticationFailed, match="4004"):
                call.play(packets(0, 10)).result(PATIENCE)
