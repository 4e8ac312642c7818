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

from voicekit.media import open_opus_provider


class HostDies(Exception):
    """As any bug would."""


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


class Endless:
    """Packets without end, as a source of voicekit's or an audio object of a library's."""

    needs_encode = locked_stream = audio_complete = False

    def __init__(self, report: dict[str, Any]) -> None:
        self._report = report

    def is_opus(self) -> bool:
        return True

    def read(self, frame_size: int = 0) -> bytes:
        return packet(1)

    def cleanup(self) -> None:
        self._report["cleaned up"] = True


async def join_discord_like(task: dict[str, Any], report: dict[str, Any]) -> Any:
    from discord_like import DiscordBot

    library = importlib.import_module(task["library"])
    adapter = importlib.import_module(f"voicekit.adapters.{task['adapter']}")
    bot = DiscordBot(library, adapter.VoicekitClient, task)
    await bot.login()
    await bot.join(task["channel_id"])
    source = type("Source", (Endless, library.AudioSource), {})(report)
    bot.voice.play(source, after=lambda error: report.update(after=repr(error)))
    bot.voice.start_recording("ogg", lambda tracks: report.update(recorded=True))
    return bot, bot.voice.voice


async def join_hikari(task: dict[str, Any], report: dict[str, Any]) -> Any:
    from bot_hikari import HikariBot

    bot = HikariBot(task)
    await bot.login()
    await bot.join(task["channel_id"])
    source = open_opus_provider(Endless(report).read)
    after = lambda error: report.update({"after": repr(error), "cleaned up": True})  # noqa: E731
    await bot.voice.player.play(source, after=after)
    bot.voice.voice.start_recording("ogg", lambda tracks: report.update(recorded=True))
    return bot, bot.voice.voice


async def join_interactions(task: dict[str, Any], report: dict[str, Any]) -> Any:
    from bot_interactions import InteractionsBot
    from interactions.api.voice.audio import BaseAudio

    bot = InteractionsBot(task)
    await bot.login()
    await bot.join(task["channel_id"])
    audio = type("Audio", (Endless, BaseAudio), {})(report)
    playing = bot.voice.play_no_wait(audio)
    playing.add_done_callback(lambda task: report.update(after="None"))
    bot.voice.ws.start_recording("ogg", lambda tracks: report.update(recorded=True))
    return bot, bot.voice.ws


JOIN = {"hikari": join_hikari, "interactions": join_interactions}


async def live_and_die(task: dict[str, Any], report: dict[str, Any]) -> None:
    join = JOIN.get(task["library"], join_discord_like)
    report["bot"], voice = await join(task, report)
    await asyncio.sleep(0.3)
    endpoint = voice.connection.info.endpoint
    port = report["port"] = int(endpoint.rpartition(":")[2])
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
    del report["bot"]
    print(json.dumps(report))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
