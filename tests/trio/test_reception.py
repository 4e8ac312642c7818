"""One task receives for all calls: on real sockets, watched together or each on its own."""

import os
import socket
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from voicekit.driver.reception import CAPACITY, ROUND
from voicekit.events import SpeakingStarted
from voicekit.net import DatagramBatch, Poller
from voicekit.trio import Network, connect
from voicekit.trio.network import UdpSocket
from voicekit.trio.reception import Reception, reception

from .calls import EARS, MOUTH, SILENCE, Packets, collect, info, numbered, running_server, until

PATIENCE = 20

ROADS = [
    pytest.param(True, marks=pytest.mark.skipif(not Poller.is_available, reason="Linux's epoll")),
    False,
]


@pytest.fixture(params=ROADS, ids=["together", "alone"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    together: bool = request.param
    monkeypatch.setattr(Poller, "is_available", together)
    return together


needs_poller = pytest.mark.skipif(not Poller.is_available, reason="Linux's epoll")


def test_two_calls_hear_each_other_and_leave_no_task_and_no_socket(road: bool) -> None:
    async def main() -> None:
        tasks_before = trio.lowlevel.current_statistics().tasks_living
        sockets_before = count_descriptors()
        with trio.fail_after(PATIENCE):
            async with running_server() as listening:
                heard: dict[int, list[bytes]] = {MOUTH: [], EARS: []}
                async with (
                    connect(info(listening.url, MOUTH)) as mouth,
                    connect(info(listening.url, EARS)) as ears,
                    trio.open_nursery() as nursery,
                ):
                    nursery.start_soon(collect, mouth.frames(), heard[MOUTH])
                    nursery.start_soon(collect, ears.frames(), heard[EARS])
                    async with trio.open_nursery() as players:
                        for voice in (mouth, ears):
                            # All of it is in the ring: no gap on a busy machine.
                            play = partial(voice.play, Packets(numbered(20)), ring=1.0)
                            players.start_soon(play)
                    await until(lambda: len(heard[MOUTH]) == len(heard[EARS]) == 25)
                    nursery.cancel_scope.cancel()
        assert heard == {MOUTH: numbered(20) + SILENCE, EARS: numbered(20) + SILENCE}
        await wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == tasks_before
        assert count_descriptors() == sockets_before

    trio.run(main)


def count_descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:
        return 0  # not Linux: nothing to compare


def test_a_callers_mistake_in_a_handler_ends_that_call_bare_and_no_other(
    road: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async def broken() -> None:
            with pytest.raises(ZeroDivisionError):  # noqa: PT012
                async with connect(info(listening.url, EARS)) as ears:
                    handle = ears._handle_event

                    def stumble(event: object) -> None:
                        if isinstance(event, SpeakingStarted):
                            raise ZeroDivisionError
                        handle(event)  # type: ignore[arg-type]

                    monkeypatch.setattr(ears._driver, "_handle_event", stumble)
                    await trio.sleep_forever()

        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                connect(info(listening.url, MOUTH)) as mouth,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(broken)
                await until(lambda: len(listening.server.stats()) == 2)
                await mouth.play(Packets(numbered(20)))
                assert mouth.connection.is_ready

    trio.run(main)


class Ear:
    """What one watched socket was given."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.failures: list[Exception] = []

    def receive(self, batch: DatagramBatch) -> None:
        self.heard += [batch[index] for index in range(len(batch))]


async def sockets(count: int) -> tuple[UdpSocket, list[UdpSocket]]:
    """Return a sender and ``count`` receivers."""
    network = Network()
    bound = [await network.bind_datagrams("127.0.0.1", 0) for _ in range(count + 1)]
    assert all(isinstance(sock, UdpSocket) for sock in bound)
    return bound[0], bound[1:]  # type: ignore[return-value]


@needs_poller
def test_many_sockets_with_more_than_a_round_of_datagrams_are_all_heard() -> None:
    async def main() -> None:
        sender, receivers = await sockets(ROUND + 6)
        ears = [Ear() for _ in receivers]
        sent = [b"%d" % number for number in range(CAPACITY + 3)]
        for sock in (receivers[0], receivers[-1]):
            for data in sent:
                sender.send_to(data, ("127.0.0.1", sock.port))
        for sock in receivers[1:-1]:
            sender.send_to(b"one", ("127.0.0.1", sock.port))
        shared = Reception()
        for ear, sock in zip(ears, receivers, strict=True):
            shared.watch(sock.fileno(), ear.receive, ear.failures.append)
        with trio.fail_after(PATIENCE):
            await until(lambda: all(ear.heard for ear in ears))
            await until(lambda: ears[0].heard == ears[-1].heard == sent)
        assert all(ear.heard == [b"one"] for ear in ears[1:-1])
        for sock in receivers:
            shared.forget(sock.fileno())
            sock.close()
        sender.close()

    trio.run(main)


@needs_poller
def test_a_socket_that_another_closes_in_the_same_round_is_not_touched() -> None:
    async def main() -> None:
        sender, (one, two) = await sockets(2)
        shared = Reception()
        heard: list[bytes] = []

        def close_both(batch: DatagramBatch) -> None:
            heard.append(batch[0])
            for sock in (one, two):
                shared.forget(sock.fileno())
                sock.close()
            # The numbers are free again, and taken by others at once.
            others.extend(socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))

        others: list[socket.socket] = []
        for sock in (one, two):
            sender.send_to(b"data", ("127.0.0.1", sock.port))
            shared.watch(sock.fileno(), close_both, pytest.fail)
        with trio.fail_after(PATIENCE):
            await until(lambda: bool(heard))
        await trio.sleep(0.01)
        assert heard == [b"data"]
        for other in others:
            other.close()
        sender.close()

    trio.run(main)


@needs_poller
def test_a_socket_that_breaks_is_reported_once_and_the_others_go_on() -> None:
    async def main() -> None:
        sender, (one, two) = await sockets(2)
        shared = Reception()
        bad, good = Ear(), Ear()

        def raise_(batch: DatagramBatch) -> None:
            raise OSError("broken")

        shared.watch(one.fileno(), raise_, bad.failures.append)
        shared.watch(two.fileno(), good.receive, good.failures.append)
        with trio.fail_after(PATIENCE):
            for _ in range(2):
                sender.send_to(b"data", ("127.0.0.1", one.port))
                sender.send_to(b"data", ("127.0.0.1", two.port))
            await until(lambda: len(good.heard) == 2)
        assert [str(error) for error in bad.failures] == ["broken"]
        assert good.failures == []
        shared.forget(two.fileno())
        for sock in (one, two, sender):
            sock.close()

    trio.run(main)


@needs_poller
def test_its_task_ends_with_the_last_socket_and_begins_with_the_next() -> None:
    async def main() -> None:
        tasks = trio.lowlevel.current_statistics().tasks_living
        sender, (one, two) = await sockets(2)
        shared = reception()
        assert reception() is shared
        ear = Ear()
        for _ in range(2):
            for sock in (one, two):
                shared.watch(sock.fileno(), ear.receive, pytest.fail)
            sender.send_to(b"data", ("127.0.0.1", two.port))
            with trio.fail_after(PATIENCE):
                await until(lambda: bool(ear.heard))
            ear.heard.clear()
            for sock in (one, two):
                shared.forget(sock.fileno())
            await wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living == tasks
        for sock in (one, two, sender):
            sock.close()

    trio.run(main)
