"""Everything at once: ``python -m tests.pacer.stress ROUNDS [native|threaded]``.

Threads push, pause, discard, change keys, send RTCP, read statistics and come and go, while
the pacer sends. Prints OK if every packet that came opens, in order, under a nonce of its own.
"""

import random
import sys
import threading
from collections.abc import Callable

from voicekit.pacer import Notifier, Pacer, StreamState

from .rig import MODE, Live, voice

SESSIONS = 4


def user(pacer: Pacer, notifier: Notifier, stop: threading.Event, number: int, rounds: int) -> None:
    """One session's thread; all calls of the stream are its own."""
    rng = random.Random(number)
    rig = Live(pacer, ssrc=number, notifier=notifier, depth=rng.choice([0.02, 0.1, 1.0]))
    stream, pushed, epoch = rig.stream, 0, 0
    last = -1
    nonces: set[tuple[int, int]] = set()

    def check() -> None:
        nonlocal last
        for packet in rig.listener.packets():
            assert (epoch, packet.nonce) not in nonces
            nonces.add((epoch, packet.nonce))
            if packet.number is not None:
                assert packet.number > last
                last = packet.number

    for _ in range(rounds):
        match rng.randrange(12):
            case 0:
                stream.pause()
            case 1:
                stream.resume()
            case 2:
                stream.discard(keep=rng.randrange(3))
            case 3:
                stream.stop()
            case 4:
                stream.finish()
            case 5:
                key = rng.randbytes(32)
                rig.session.set_key(MODE, key)
                check()  # what came so far is under the key of before
                epoch += 1
                rig.listener.use_key(key)
                stream.rebind(rig.sock if rng.random() < 0.5 else None)
            case 6:
                report = rig.session.receiver_report(0.0)
                nonce = epoch, int.from_bytes(report[-4:], "big")
                assert nonce not in nonces
                nonces.add(nonce)
            case 7:
                rig.session.renew()
            case _:
                while stream.push(voice(pushed)):
                    pushed += 1
        if rng.random() < 0.3:
            stop.wait(rng.random() / 100)  # up to half a frame
        stream.poll()
        assert stream.state is not StreamState.REMOVED
        stream.stats()
        check()
    rig.close()


def main() -> int:
    rounds = int(sys.argv[1])
    native = sys.argv[2] == "native"
    failed: list[BaseException] = []
    stop = threading.Event()
    notifier = Notifier()

    def guard(work: Callable[..., None], *arguments: object) -> None:
        try:
            work(*arguments)
        except BaseException as error:
            failed.append(error)
            raise

    def consume() -> None:
        while not stop.wait(0.001):
            for stream in notifier.take():
                stream.poll()

    def watch() -> None:
        while not stop.wait(0.001):
            pacer.stats()

    def come_and_go() -> None:
        number = 100
        while not stop.is_set():
            number += 1
            rig = Live(pacer, ssrc=number, notifier=notifier)
            rig.stream.push(voice(0))
            stop.wait(0.003)
            rig.close()

    with Pacer(native=native) as pacer:
        users = [
            threading.Thread(target=guard, args=[user, pacer, notifier, stop, number, rounds])
            for number in range(1, SESSIONS + 1)
        ]
        others = [
            threading.Thread(target=guard, args=[work]) for work in (consume, watch, come_and_go)
        ]
        for thread in users + others:
            thread.start()
        for thread in users:
            thread.join()
        stop.set()
        for thread in others:
            thread.join()
    notifier.close()
    if not failed:
        print("OK")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
