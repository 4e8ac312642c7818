"""A host that dies in a call: ``dying_host.py TASK`` says what is left of the call, as JSON.

It plays and records, then an exception ends its event loop; nobody has disconnected anything.
"""

import asyncio
import importlib
import json
import os
import socket
import sys
import threading
import time
from typing import Any

from console import packet
from discord_like import DiscordBot


class HostDies(Exception):
    """As any bug would."""


def make_bot(task: dict[str, Any]) -> DiscordBot:
    library = importlib.import_module(task["library"])
    adapter = importlib.import_module(f"voicekit.adapters.{task['adapter']}")
    return DiscordBot(library, adapter.VoicekitClient, task)


def sockets_of_calls(port: int) -> int:
    """Count UDP sockets, and connections to the voice server."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as sock:
                is_udp = sock.family == socket.AF_INET and sock.type == socket.SOCK_DGRAM
                found += is_udp or sock.getpeername()[1:2] == (port,)
        except OSError:
            pass  # closed meanwhile, or connected to nothing
    return found


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if "voicekit" in one.name]


async def live_and_die(task: dict[str, Any], report: dict[str, Any]) -> None:
    bot = make_bot(task)
    await bot.login()
    await bot.join(task["channel_id"])

    class Endless(bot.library.AudioSource):  # type: ignore[misc,name-defined]
        def is_opus(self) -> bool:
            return True

        def read(self) -> bytes:
            return packet(1)

        def cleanup(self) -> None:
            report["cleaned up"] = True

    bot.voice.play(Endless(), after=lambda error: report.update(after=repr(error)))
    bot.voice.start_recording("ogg", lambda tracks: report.update(recorded=True))
    await asyncio.sleep(0.3)
    port = report["port"] = int(bot.voice.endpoint.rpartition(":")[2])
    report["alive"] = [len(threads()) > 0, sockets_of_calls(port)]
    raise HostDies


def main(task: dict[str, Any]) -> None:
    report: dict[str, Any] = {}
    try:
        asyncio.run(live_and_die(task, report))
    except HostDies:
        pass
    for _ in range(200):  # threads on their way out
        report["dead"] = [threads(), sockets_of_calls(report["port"])]
        if report["dead"] == [[], 0]:
            break
        time.sleep(0.01)
    print(json.dumps(report))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
