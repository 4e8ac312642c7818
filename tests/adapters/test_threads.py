"""Calls into an event loop from other threads: results, errors, and loops that do not answer."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from voicekit.adapters import threads
from voicekit.adapters.threads import call_in_loop
from voicekit.errors import LocalProtocolError


def from_a_thread(call: Callable[[asyncio.AbstractEventLoop], object]) -> object:
    """Return what ``call(loop)`` returns in another thread while a loop runs."""

    async def main() -> object:
        return await asyncio.to_thread(call, asyncio.get_running_loop())

    return asyncio.run(main())


def test_it_runs_in_the_loops_thread_and_returns_what_that_returns() -> None:
    main = threading.get_ident()
    assert from_a_thread(lambda loop: call_in_loop(loop, threading.get_ident)) == main


def test_in_the_loop_it_is_an_ordinary_call() -> None:
    async def main() -> str:
        return call_in_loop(asyncio.get_running_loop(), lambda: "at once")

    assert asyncio.run(main()) == "at once"


@pytest.mark.parametrize("error", [KeyError("key"), TimeoutError("its own")])
def test_what_it_raises_comes_out(error: Exception) -> None:
    def fail() -> None:
        raise error

    def call(loop: asyncio.AbstractEventLoop) -> None:
        with pytest.raises(type(error)) as raised:
            call_in_loop(loop, fail)
        assert raised.value is error

    from_a_thread(call)


def test_a_loop_that_does_not_run_is_told() -> None:
    loop = asyncio.new_event_loop()
    with pytest.raises(LocalProtocolError, match="does not run"):
        call_in_loop(loop, lambda: None)
    loop.close()
    with pytest.raises(LocalProtocolError, match="does not run"):
        call_in_loop(loop, lambda: None)


def test_a_loop_that_is_blocked_is_told_and_the_call_is_not_made_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "CALL_TIMEOUT", 0.01)
    called: list[str] = []
    told = threading.Event()

    def call(loop: asyncio.AbstractEventLoop) -> None:
        try:
            with pytest.raises(LocalProtocolError, match="blocks"):
                call_in_loop(loop, lambda: called.append("late"))
        finally:
            told.set()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=call, args=(loop,))
        thread.start()
        assert told.wait(10)  # this blocks it
        thread.join()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert called == []
