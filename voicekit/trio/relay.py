"""Runs a `voicekit.net` relay beside the server's loop, in a thread that needs no GIL."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from ..net._relay import Relay

__all__ = ["Strangers", "run_relay"]

#: Datagrams that are not media of a known source, with their senders.
Strangers = list[tuple[bytes, tuple[str, int]]]


async def run_relay(relay: "Relay", take: Callable[[Strangers], object]) -> None:
    """Relay until cancelled. ``take`` is called in the loop."""
    token = trio.lowlevel.current_trio_token()

    def hand_over(strangers: Strangers) -> None:
        try:
            token.run_sync_soon(take, strangers)
        except trio.RunFinishedError:
            pass  # what comes now comes too late

    async with trio.open_nursery() as nursery:
        limiter = trio.CapacityLimiter(1)  # it is no guest of the program's worker threads
        nursery.start_soon(lambda: trio.to_thread.run_sync(relay.run, hand_over, limiter=limiter))
        try:
            await trio.sleep_forever()
        finally:
            relay.stop()
