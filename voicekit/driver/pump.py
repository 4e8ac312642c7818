"""The loop that every sans-I/O machine of voicekit wants: mutate, drain `poll`, mind the clock."""

import threading
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol, TypeVar

from ..errors import LocalProtocolError
from .loop import Loop

__all__ = ["Machine", "Pump"]

R = TypeVar("R")


class Machine(Protocol):
    """What `VoiceConnection` and `VoiceServer` have in common."""

    def poll(self) -> object | None:
        """Return the next output or event."""

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""


class Pump:
    """Calls one machine, and does what it asks for. All in one thread, and never blocks."""

    loop: ClassVar[Loop]
    #: What the machine may ask for, and the name of the method that does it; of all else
    #: `handle_event` is told.
    outputs: ClassVar[dict[type, str]] = {}

    def __init__(self, machine: Machine, handle_event: Callable[[Any], object]) -> None:
        self._machine = machine
        self._handle_event = handle_event
        self._thread = threading.get_ident()

    def call(self, mutate: Callable[..., R], *arguments: object) -> R:
        """Call a mutator of the machine for a user, with the time; then `drain`.

        Raises `LocalProtocolError` as `check_caller` does, besides what the machine raises.
        """
        self.check_caller()
        try:
            now = self.loop.now()
        except RuntimeError:
            raise LocalProtocolError("a call lives in its event loop, which has ended") from None
        result = mutate(*arguments, now)
        self.drain()
        return result

    def check_caller(self) -> None:
        """Raise `LocalProtocolError` in another thread than that of the event loop."""
        if threading.get_ident() != self._thread:
            raise LocalProtocolError(
                f"a call belongs to one thread: from others use {self.loop.from_thread}"
            )

    def drain(self) -> None:
        """Carry out what the last mutation asks for, and set the alarm."""
        self._drain_outputs()
        self._set_alarm()

    def _drain_outputs(self) -> bool:
        """Carry out what the last mutation asks for; return whether that was anything."""
        poll, outputs = self._machine.poll, self.outputs
        item = poll()
        if item is None:
            return False
        while item is not None:
            name = outputs.get(type(item))
            if name is None:
                self._handle_event(item)
            else:
                getattr(self, name)(item)
            item = poll()
        return True

    @abstractmethod
    def _set_alarm(self) -> None:
        """See to it that `_ring` is called when the machine is due.

        One that rings too early costs less than moving it with every datagram.
        """

    @abstractmethod
    def run_beside(self, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run a task beside the machine, no longer than that."""

    @abstractmethod
    def _fail(self, error: Exception) -> None:
        """End this machine by a bug that showed where others are served, too."""

    def _ring(self, due: float = 0.0) -> None:
        # An event loop may ring a little early, as it counts in steps of its clock.
        self._machine.handle_timeout(max(due, self.loop.now()))
        self.drain()
