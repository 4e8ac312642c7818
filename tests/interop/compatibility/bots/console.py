"""What all bots of the compatibility table share: commands on stdin, answers on stdout.

Each line in is ``{"do": name, ...arguments}`` and calls the bot's coroutine of that name; each
line out is ``{"ok": what it returned}`` or ``{"error": type, "bases": [...], "text": ...}``.
Logs go to stderr.
"""

import array
import asyncio
import hashlib
import json
import logging
import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from voicekit.errors import CallClosed

SILENCE = b"\xf8\xff\xfe"
#: Longer than anything takes that works, in seconds.
PATIENCE = 10.0


def packet(number: int) -> bytes:
    """Return a numbered Opus packet of 20 ms, as `voicekit.testing.opus_frame` makes it."""
    return b"\xfc" + number.to_bytes(4, "big") + bytes(75)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something, or say what never was."""
    for _ in range(round(PATIENCE / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"not {what}")


def tone(frames: int, height: int = 8000) -> bytes:
    """Return samples of 440 Hz, stereo."""
    wave = (round(height * math.sin(math.tau * 440 * n / 48000)) for n in range(frames * 960))
    return array.array("h", (value for one in wave for value in (one, one))).tobytes()


@contextmanager
def raises(kind: type[BaseException], words: str = "") -> Iterator[list[Any]]:
    """Expect an exception that says what to do; the list has it then.

    There is no pytest in a bot's environment.
    """
    raised: list[Any] = []
    try:
        yield raised
    except kind as error:
        raised.append(error)
    assert raised, f"no {kind.__name__} was raised"
    assert words in str(raised[0]), f"{raised[0]!r} says nothing of {words!r}"


class Numbered:
    """Numbered packets, as a source that voicekit plays."""

    blocking = False

    def __init__(self, first: int, count: int) -> None:
        self._left = [packet(number) for number in range(first, first + count)]

    def read(self) -> bytes | None:
        return self._left.pop(0) if self._left else None


class Heard:
    """What a bot has received, by user: how many frames, how many encrypted, and a digest."""

    def __init__(self) -> None:
        self._frames: dict[int, list[bytes]] = defaultdict(list)
        self._e2ee: dict[int, int] = defaultdict(int)

    def add(self, user_id: int | None, opus: bytes, e2ee: bool) -> None:
        if user_id is not None and opus and opus != SILENCE:
            self._frames[user_id].append(bytes(opus))
            self._e2ee[user_id] += e2ee

    async def listen(self, voice: Any) -> None:
        """Take everything of a call of voicekit's, until its end."""
        with suppress(CallClosed):  # kicked, as tests will have it
            async for frame in voice.frames():
                self.add(frame.user_id, frame.opus, frame.e2ee)

    def report(self) -> dict[str, Any]:
        return {
            str(user): {
                "frames": len(frames),
                "e2ee": self._e2ee[user],
                "sha256": hashlib.sha256(b"".join(frames)).hexdigest(),
            }
            for user, frames in self._frames.items()
        }


async def _serve(bot: Any) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        request = json.loads(line)
        name = request.pop("do")
        try:
            answer = {"ok": await getattr(bot, name)(**request)}
        except Exception as error:
            bases = [kind.__name__ for kind in type(error).__mro__]
            logging.exception("%s failed", name)
            answer = {"error": bases[0], "bases": bases, "text": str(error)}
        print(json.dumps(answer), flush=True)
        if name == "quit":
            return


def run(make_bot: Any) -> None:
    """Run a bot until ``quit`` or the end of stdin. ``make_bot(task)``: what it is told."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)

    async def main() -> None:
        await _serve(make_bot(json.loads(sys.argv[1])))

    asyncio.run(main())
