"""Cancelling at every checkpoint: nothing runs on, nothing stays open, the call is left."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from voicekit.driver.call import LEAVE_TIMEOUT

from ..trio.calls import Packets, info, numbered
from .libraries import Network, lib

Scenario = Callable[[str, Network], Awaitable[None]]


async def play(url: str, network: Network) -> None:
    async with lib.connect(info(url), network=network) as voice:
        await voice.play(Packets(numbered(3)))


async def play_beside_readers(url: str, network: Network) -> None:
    async with lib.connect(info(url), network=network) as voice, lib.open_nursery() as nursery:

        async def read(stream: Any) -> None:
            async with stream:
                async for _ in stream:
                    pass

        nursery.start_soon(read, voice.frames())
        nursery.start_soon(read, voice.events())
        await voice.play(Packets(numbered(2)))
        await voice.aclose()


async def fail_to_connect(url: str, network: Network) -> None:
    async with lib.connect(info("ws://127.0.0.1:1"), network=network):
        pytest.fail("there is no server")


class Canceller:
    """Cancels a scope before the given step of the event loop, counted from when it was armed."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.scope: Any = None

    def __call__(self) -> None:
        if self.scope is not None:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


def run_cancelled(scenario: Scenario, cancel: Canceller | float) -> bool:
    """Run a scenario, cancelled at a step or a time; return whether it was cut short."""
    caught: list[bool] = []

    async def main() -> None:
        network = lib.MemoryNetwork()
        async with lib.running_server(network=network) as listening:
            await lib.wait_all_tasks_blocked()
            quiet, tasks = set(network.open), lib.tasks_living()
            started = lib.current_time()
            at_step = isinstance(cancel, Canceller)
            with lib.CancelScope() if at_step else lib.move_on_after(cancel) as scope:
                if isinstance(cancel, Canceller):
                    cancel.scope = scope
                await scenario(listening.url, network)
            if isinstance(cancel, Canceller):
                cancel.scope = None
            else:
                assert lib.current_time() - started <= cancel + LEAVE_TIMEOUT
            await lib.wait_all_tasks_blocked()
            await lib.sleep(2)
            assert (network.open, lib.tasks_living()) == (quiet, tasks)
            for session in listening.server.stats():
                assert session.packets_bad == {}
                assert session.state == "ended"
                # 1005 and the like: cut off in the middle of the handshake.
                if session.packets_valid:
                    assert session.close_code == 1000
                    assert session.packets_valid >= 6, "no silence after the audio"
        caught.append(scope.cancelled_caught)

    lib.run(main, cancel if isinstance(cancel, Canceller) else None)
    return caught[0]


@pytest.mark.parametrize("scenario", [play, play_beside_readers])
def test_cancelled_at_every_step_of_every_task(scenario: Scenario) -> None:
    step = 1
    while run_cancelled(scenario, Canceller(step)):
        step += 1
    assert step > 40  # it really went through a call


@pytest.mark.parametrize("scenario", [play, play_beside_readers, fail_to_connect])
def test_cancelled_at_every_time(scenario: Scenario) -> None:
    for milliseconds in range(0, 400, 5):
        run_cancelled(partial(scenario), milliseconds / 1000)


def test_leaving_a_dead_server_takes_no_longer_than_a_second() -> None:
    async def main() -> None:
        network = lib.MemoryNetwork()
        async with lib.running_server(network=network) as listening:
            with lib.move_on_after(1) as scope:
                async with lib.connect(info(listening.url), network=network) as voice:
                    voice.send_audio(numbered(1)[0])
                    for sock in network.open:
                        sock.stalls_sending = sock.stalls_receiving = True  # type: ignore[attr-defined]
                    await lib.sleep_forever()
            assert scope.cancelled_caught
            assert 1 < lib.current_time() <= 2

    lib.run(main)


@pytest.mark.parametrize("turns", range(5))
def test_leaving_while_the_server_is_being_dialled_takes_no_time(turns: int) -> None:
    async def main() -> None:
        network = lib.MemoryNetwork()
        async with lib.running_server(network=network) as listening:
            await lib.wait_all_tasks_blocked()
            began = lib.current_time()
            async with lib.connect(info(listening.url), network=network, wait_ready=False):
                for _ in range(turns):
                    await lib.checkpoint()
            assert lib.current_time() - began < LEAVE_TIMEOUT / 2

    lib.run(main)
