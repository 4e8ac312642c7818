"""Runs a `voicekit.net` relay beside the server's loop, in a thread that needs no GIL."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from .network import Datagrams

if TYPE_CHECKING:
    from ..net._relay import Relay

__all__ = ["Strangers", "relay_for", "run_relay"]

#: Datagrams that are not media of a known source, with their senders.
Strangers = list[tuple[bytes, tuple[str, int]]]


def relay_for(sock: Datagrams) -> "Relay | None":
    """Return a relay on a socket of the operating system; None where there is none."""
    try:
        from ..net._relay import Relay
    except ImportError:
        return None  # not Linux: the server's core does it in Python
    number = sock.fileno()
    return Relay(number) if number >= 0 else None


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
