"""The pacer with a session and a socket of one's own, on asyncio: no gateway, no runner.

Two ends in one program. Run: ``python examples/pacer_alone.py``
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator

from voicekit import AudioFrame, RtpSession, available_modes
from voicekit.pacer import Finished, Notifier, process_pacer

MODE = available_modes()[0]
KEY = secrets.token_bytes(32)


def music(frames: int) -> Iterator[bytes]:
    """Opus packets of 20 ms: TOC FC is CELT, full band, stereo."""
    for number in range(frames):
        yield b"\xfc" + number.to_bytes(4, "big") + bytes(75)


async def play(session: RtpSession, sock: socket.socket, source: Iterator[bytes]) -> None:
    """Send ``source`` to its end. Only the refills are Python; sends keep time without it."""
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    with Notifier() as notifier:
        # Half a second of audio may wait: the loop may be busy for as long.
        stream = process_pacer().add(session, sock, depth=0.5, notifier=notifier)

        def serve() -> None:
            for wanting in notifier.take():
                wanting.fill(lambda: next(source, None))
                while (event := wanting.poll()) is not None:
                    if isinstance(event, Finished):
                        finished.set_result(event)

        loop.add_reader(notifier, serve)
        stream.fill(lambda: next(source, None))
        try:
            await finished
        finally:
            loop.remove_reader(notifier)
            stream.remove()
    lateness = stream.stats().lateness
    print(f"sent {stream.sent} frames, the latest by {lateness.max * 1000:.2f} ms")


async def listen(session: RtpSession, sock: socket.socket, frames: int) -> list[AudioFrame]:
    """Receive that many frames."""
    loop = asyncio.get_running_loop()
    heard: list[AudioFrame] = []
    while len(heard) < frames:
        datagram = await loop.sock_recv(sock, 65536)
        frame = session.receive(datagram, time.monotonic())
        if frame is not None:
            heard.append(frame)
    return heard


async def main(frames: int = 60) -> list[AudioFrame]:
    alice, bob = RtpSession(ssrc=1111), RtpSession(ssrc=2222)
    alice.set_key(MODE, KEY)
    bob.set_key(MODE, KEY, nonce_start=2**31)  # two directions, one key: count apart
    bob.map_ssrc(1111, user_id=7, now=time.monotonic())
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
    ):
        there.bind(("127.0.0.1", 0))
        there.setblocking(False)
        here.connect(there.getsockname())
        _, heard = await asyncio.gather(
            play(alice, here, music(frames)),
            listen(bob, there, frames + 5),  # five frames of silence end it
        )
    return heard


if __name__ == "__main__":
    heard = asyncio.run(main())
    print(f"heard {len(heard)} frames of user {heard[0].user_id}")
