"""Calls spread over processes by `voicekit.trio.run_workers`.

Arguments: ``url``, ``processes``, ``calls`` (in all) and ``seconds``. Prints what was sent.
"""

import json
import os
import statistics
import sys
import time
from typing import Any

import trio

from voicekit.server_info import VoiceServerInfo
from voicekit.trio import run_workers

from .process import say
from .voice_server import CHANNEL_ID
from .worker_call import one_call

#: A join takes a worker so many seconds of its core, and a bit.
JOIN = 0.03
START = 2.0


async def main(arguments: dict[str, Any]) -> None:
    """Run all calls once."""
    calls, seconds, processes = (arguments[name] for name in ("calls", "seconds", "processes"))
    results: list[tuple[int, float]] = []
    async with (
        run_workers(one_call, processes=processes) as workers,
        trio.open_nursery() as nursery,
    ):
        start = time.monotonic() + START + calls * JOIN / processes
        for number in range(calls):
            info = VoiceServerInfo(
                endpoint=arguments["url"],
                server_id=1 + number // 2,
                channel_id=CHANNEL_ID,
                user_id=1 + number,
                session_id=f"session-{number}",
                token="token",
            )

            async def run(info: VoiceServerInfo = info) -> None:
                results.append(await workers.submit(info, start, seconds))

            nursery.start_soon(run)
            await trio.sleep(JOIN / processes)
    say(
        {
            "frames_per_second": sum(frames for frames, _ in results) / seconds,
            "p99": statistics.median(late for _, late in results),
            "worst_p99": max(late for _, late in results),
            "cores": len(os.sched_getaffinity(0)),
        }
    )


if __name__ == "__main__":
    trio.run(main, json.loads(sys.argv[1]))
