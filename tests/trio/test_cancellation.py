"""Cancelling at every checkpoint: nothing runs on, nothing stays open, the call is left."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from voicekit.driver.call import LEAVE_TIMEOUT
from voicekit.trio import connect

from .calls import Packets, info, numbered, running_server
from .memory_network import MemoryNetwork

Scenario = Callable[[str, MemoryNetwork], Awaitable[None]]


async def play(url: str, network: MemoryNetwork) -> None:
    async with connect(info(url), network=network) as voice:
        await voice.play(Packets(numbered(3)))


async def play_beside_readers(url: str, network: MemoryNetwork) -> None:
    async with connect(info(url), network=network) as voice, trio.open_nursery() as nursery:

        async def read(stream: trio.abc.ReceiveChannel[object]) -> None:
            async with stream:
                async for _ in stream:
                    pass

        nursery.start_soon(read, voice.frames())
        nursery.start_soon(read, voice.events())
        await voice.play(Packets(numbered(2)))
        await voice.aclose()


async def fail_to_connect(url: str, network: MemoryNetwork) -> None:
    async with connect(info("ws://127.0.0.1:1"), network=network):
        pytest.fail("there is no server")


class Canceller(trio.abc.Instrument):
    """Cancels a scope before the given step of any task, counted from when it was armed."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.scope: trio.CancelScope | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is not None:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


def run_cancelled(scenario: Scenario, cancel: Canceller | float) -> bool:
    """Run a scenario, cancelled at a step or a time; return whether it was cut short."""

    async def main() -> bool:
        network = MemoryNetwork()
        async with running_server(network=network) as listening:
            await wait_all_tasks_blocked()
            quiet = set(network.open)
            tasks = trio.lowlevel.current_statistics().tasks_living
            with trio.CancelScope() as scope:
                if isinstance(cancel, Canceller):
                    cancel.scope = scope
                else:
                    scope.deadline = trio.current_time() + cancel
                await scenario(listening.url, network)
            left_at = trio.current_time()
            if isinstance(cancel, float):
                assert left_at <= cancel + LEAVE_TIMEOUT
            await wait_all_tasks_blocked()
            await trio.sleep(2)
            assert network.open == quiet
            assert trio.lowlevel.current_statistics().tasks_living == tasks
            for session in listening.server.stats():
                assert session.packets_bad == {}
                assert session.state == "ended"
                # 1005 and the like: cut off in the middle of the handshake.
                if session.packets_valid:
                    assert session.close_code == 1000
                    assert session.packets_valid >= 6, "no silence after the audio"
        return scope.cancelled_caught

    instruments = [cancel] if isinstance(cancel, Canceller) else []
    return trio.run(main, clock=MockClock(autojump_threshold=0), instruments=instruments)


@pytest.mark.parametrize("scenario", [play, play_beside_readers])
def test_cancelled_at_every_step_of_every_task(scenario: Scenario) -> None:
    step = 1
    while run_cancelled(scenario, Canceller(step)):
        step += 1
    assert step > 50  # it really went through a call


@pytest.mark.parametrize("scenario", [play, play_beside_readers, fail_to_connect])
def test_cancelled_at_every_time(scenario: Scenario) -> None:
    for milliseconds in range(0, 400, 5):
        run_cancelled(partial(scenario), milliseconds / 1000)


def test_leaving_a_dead_server_takes_no_longer_than_a_second() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with running_server(network=network) as listening:
            with trio.move_on_after(1) as scope:
                async with connect(info(listening.url), network=network) as voice:
                    voice.send_audio(numbered(1)[0])
                    for sock in network.open:
                        sock.stalls_sending = sock.stalls_receiving = True  # type: ignore[attr-defined]
                    await trio.sleep_forever()
            assert scope.cancelled_caught
            assert 1 < trio.current_time() <= 2

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_cancelled_server_closes_its_clients_properly() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with trio.open_nursery() as nursery:
            async with running_server(network=network) as listening:
                voice = await nursery.start(_hold, listening.url, network)
            assert listening.server.stats()[0].close_code == 1001
            assert voice.stats().reconnects or not voice.connection.is_closed
            nursery.cancel_scope.cancel()
        assert not network.open

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def _hold(url: str, network: MemoryNetwork, task_status: trio.TaskStatus[object]) -> None:
    async with connect(info(url), network=network) as voice:
        task_status.started(voice)
        await trio.sleep_forever()
