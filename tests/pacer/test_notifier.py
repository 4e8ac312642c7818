"""One descriptor for many streams. The clock is told where it can be."""

import asyncio
import select
import threading

from voicekit.pacer import Finished, Notifier, Pacer, Stream, Underrun

from .rig import FRAME, MS, Live, descriptors, live, told, voice, voices


def readable(notifier: Notifier) -> bool:
    return bool(select.select([notifier], [], [], 0)[0])


def test_it_is_told_below_half_of_the_depth_and_again_after_a_push(native: bool) -> None:
    with Notifier() as notifier, told(native, notifier=notifier) as rig:
        rig.stream.push_many(voices(5))
        rig.run(FRAME + 5 * MS)
        assert not readable(notifier)  # 3 of 5 wait
        assert notifier.take() == []
        rig.run(FRAME)
        assert readable(notifier)  # 2 of 5
        assert notifier.take() == [rig.stream]
        assert not readable(notifier)
        rig.run(FRAME)
        assert notifier.take() == []  # told already
        rig.stream.push(voice(5))
        rig.run(FRAME)
        assert notifier.take() == [rig.stream]


def test_it_is_told_of_events(native: bool) -> None:
    with Notifier() as notifier, told(native, notifier=notifier) as rig:
        rig.stream.push(voice(0))
        rig.run(5 * MS)
        notifier.take()
        rig.run(FRAME)
        assert notifier.take() == [rig.stream]
        assert rig.stream.poll() == Underrun(1)
        rig.stream.finish()
        rig.run(200 * MS)
        assert readable(notifier)
        assert notifier.take() == [rig.stream]
        assert rig.stream.poll() == Finished(1)


def test_a_stream_is_taken_once_however_much_it_has_to_say(native: bool) -> None:
    with Notifier() as notifier, told(native, notifier=notifier) as rig:
        for number in range(20):
            rig.stream.push(voice(number))
            rig.run(200 * MS)
        assert notifier.take() == [rig.stream]
        assert notifier.take() == []


def test_events_that_nobody_polls_are_kept_by_kind(native: bool) -> None:
    with told(native) as rig:
        for number in range(20):
            rig.stream.push(voice(number))
            rig.run(200 * MS)
        rig.stream.finish()
        assert rig.stream.poll() == Underrun(20)
        assert rig.stream.poll() == Finished(20)
        assert rig.stream.poll() is None


def test_one_notifier_serves_many_streams(pacer: Pacer) -> None:
    with Notifier() as notifier:
        rigs = [Live(pacer, ssrc=n, notifier=notifier, owner=n) for n in range(1, 31)]
        for rig in rigs:
            rig.stream.push(voice(0))
        served: set[int] = set()
        while len(served) < len(rigs):
            assert select.select([notifier], [], [], 30)[0]
            served |= {stream.owner for stream in notifier.take()}
        for rig in rigs:
            rig.close()
        assert notifier.take() == []


def test_a_removed_stream_is_not_taken(native: bool) -> None:
    with Notifier() as notifier, told(native, notifier=notifier) as rig:
        rig.stream.push(voice(0))
        rig.run(500 * MS)
        rig.stream.remove()
        assert notifier.take() == []


def test_a_consumer_that_is_stuck_holds_nothing_up(pacer: Pacer) -> None:
    """Nobody takes: all streams go on to their ends, and all is still there afterwards."""
    with Notifier() as notifier:
        rigs = [Live(pacer, ssrc=n, notifier=notifier, depth=1.0) for n in range(1, 21)]
        for rig in rigs:
            rig.stream.push_many(voices(20))
            rig.stream.finish()
        for rig in rigs:
            packets = [rig.listener.packet() for _ in range(25)]
            assert [packet.number for packet in packets] == [*range(20)] + [None] * 5
        taken: set[Stream] = set()
        while len(taken) < len(rigs):
            taken |= set(notifier.take())
        for rig in rigs:
            rig.close()


def test_closing_it_before_its_streams_is_safe(pacer: Pacer) -> None:
    notifier = Notifier()
    with live(pacer, notifier=notifier) as rig:
        notifier.close()
        rig.stream.push(voice(0))
        assert [rig.listener.packet().number for _ in range(6)] == [0] + [None] * 5
    assert notifier.fileno() == -1
    assert notifier.take() == []
    notifier.close()


def test_asyncio_waits_for_it(pacer: Pacer) -> None:
    frames = iter(voices(30))

    async def play(rig: Live, notifier: Notifier) -> None:
        loop = asyncio.get_running_loop()
        finished = loop.create_future()

        def serve() -> None:
            for stream in notifier.take():
                stream.fill(lambda: next(frames, None))
                if isinstance(stream.poll(), Finished):
                    finished.set_result(None)

        loop.add_reader(notifier, serve)
        rig.stream.fill(lambda: next(frames, None))
        await asyncio.wait_for(finished, 30)
        loop.remove_reader(notifier)

    with Notifier() as notifier, live(pacer, notifier=notifier) as rig:
        asyncio.run(play(rig, notifier))
        numbers = [number for number in rig.listener.numbers() if number is not None]
        assert numbers == [*range(30)]


def test_several_threads_push_and_take(pacer: Pacer) -> None:
    """Each stream has a thread of its own that pushes; another takes. Nothing is lost."""
    with Notifier() as notifier:
        rigs = [Live(pacer, ssrc=n, notifier=notifier, depth=0.04) for n in range(1, 6)]
        stop = threading.Event()

        def push(stream: Stream) -> None:
            number = 0
            while number < 40:
                if stream.push(voice(number)):
                    number += 1
                else:
                    stop.wait(0.001)
            stream.finish()

        def take() -> None:
            while not stop.is_set():
                notifier.take()

        threads = [threading.Thread(target=push, args=[rig.stream]) for rig in rigs]
        threads.append(threading.Thread(target=take))
        for thread in threads:
            thread.start()
        for rig in rigs:
            numbers: list[int | None] = []
            while numbers[-1:] != [39]:
                numbers.append(rig.listener.packet().number)
            assert [number for number in numbers if number is not None] == [*range(40)]
        stop.set()
        for thread in threads:
            thread.join()
        for rig in rigs:
            rig.close()


def test_descriptors_are_given_back() -> None:
    before = descriptors()
    notifiers = [Notifier() for _ in range(3)]
    assert descriptors() > before
    for notifier in notifiers:
        notifier.close()
    assert descriptors() == before
