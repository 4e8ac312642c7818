"""The iterators of a call: bounded, and what must arrive arrives."""

from typing import Any

import pytest

from voicekit.close_codes import ClosePolicy
from voicekit.driver.streams import FrameStream, error_of
from voicekit.errors import AuthenticationFailed, CallClosed, ConnectFailed
from voicekit.events import Closed, NeedNewSession, UserJoined

from .libraries import lib

LEFT = Closed(1000, None, "left")
FAILED = Closed(4004, ClosePolicy.FATAL, "no", AuthenticationFailed("bad token", 4004))


def ignore(stream: object) -> None:
    pass


async def rest_of(stream: Any) -> list[object]:
    return [item async for item in stream]


def test_a_full_stream_drops_the_oldest_frames_and_counts_them() -> None:
    async def main() -> None:
        frames = lib.streams.frames(3, ignore)
        for number in range(10):
            frames.put(number)  # type: ignore[arg-type]
        frames.end(LEFT)
        assert await rest_of(frames) == [7, 8, 9]
        assert frames.dropped == 7

    lib.run(main)


def test_a_failed_call_raises_its_error_bare_after_the_frames_that_came() -> None:
    async def main() -> None:
        frames = lib.streams.frames(3, ignore)
        frames.put(1)  # type: ignore[arg-type]
        frames.end(FAILED)
        assert await frames.receive() == 1
        for _ in range(2):
            with pytest.raises(AuthenticationFailed, match="bad token") as caught:
                await frames.receive()
            assert caught.value.code == 4004
            assert caught.value is not FAILED.error

    lib.run(main)


def test_several_tasks_wait_for_one_error_each_with_a_traceback_of_its_own() -> None:
    errors: list[BaseException] = []

    async def wait(frames: FrameStream) -> None:
        try:
            await frames.receive()
        except AuthenticationFailed as error:
            errors.append(error)

    async def main() -> None:
        frames = lib.streams.frames(3, ignore)
        async with lib.open_nursery() as nursery:
            nursery.start_soon(wait, frames)
            nursery.start_soon(wait, frames)
            await lib.wait_all_tasks_blocked()
            frames.end(FAILED)
        assert len(set(map(id, errors))) == 2

    lib.run(main)


def test_the_end_of_the_call_is_the_last_event_and_is_never_dropped() -> None:
    async def main() -> None:
        events = lib.streams.events(1, ignore)
        events.put(UserJoined(1))
        events.put(LEFT)
        assert await rest_of(events) == [LEFT]
        assert events.dropped == 1

    lib.run(main)


def test_chatter_does_not_push_out_what_the_host_must_act_upon() -> None:
    async def main() -> None:
        events = lib.streams.events(3, ignore)
        need = NeedNewSession(4006, "join again")
        events.put(need)
        for user in range(10):
            events.put(UserJoined(user))
        assert [await events.receive() for _ in range(3)] == [need, UserJoined(8), UserJoined(9)]
        for _ in range(3):
            events.put(need)
        events.put(LEFT)
        assert (await rest_of(events))[-1] == LEFT

    lib.run(main)


def test_closing_an_iterator_wakes_who_waits_in_it() -> None:
    forgotten: list[object] = []

    async def wait(frames: FrameStream) -> None:
        with pytest.raises(lib.ClosedResourceError):
            await frames.receive()

    async def main() -> None:
        frames = lib.streams.frames(3, forgotten.append)
        async with lib.open_nursery() as nursery:
            nursery.start_soon(wait, frames)
            await lib.wait_all_tasks_blocked()
            await frames.aclose()
        await frames.aclose()
        assert frames in forgotten

    lib.run(main)


def test_each_item_goes_to_one_of_several_readers_and_none_is_lost_by_cancelling() -> None:
    async def main() -> None:
        frames = lib.streams.frames(100, ignore)
        taken: list[object] = []

        async def take() -> None:
            taken.append(await frames.receive())

        async with lib.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(take)
            await lib.wait_all_tasks_blocked()
            frames.put(1)  # type: ignore[arg-type]
            nursery.cancel_scope.cancel()  # in the same tick: the woken reader keeps its item
        frames.end(LEFT)
        assert taken + await rest_of(frames) == [1]

    lib.run(main)


def test_a_stream_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        lib.streams.frames(0, ignore)


def test_errors_keep_what_they_carry_when_they_are_copied() -> None:
    error = ConnectFailed("blocked", "udp_discovery", 10)
    copied = error_of(Closed(None, None, "blocked", error))
    assert isinstance(copied, ConnectFailed)
    assert (str(copied), copied.stage, copied.attempts) == ("blocked", "udp_discovery", 10)
    plain = error_of(LEFT)
    assert type(plain) is CallClosed
    assert plain.code == 1000
