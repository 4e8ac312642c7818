"""What the main gateway knows of its sockets and sessions. Data; the rules are in `machine`."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

from voicekit.server.limits import TokenBucket
from voicekit.server.timers import Timer

from .encodings import Pack

__all__ = ["Session", "Socket"]

#: Events kept for a resume: a bot in one small guild gets a few per second at most.
KEPT = 1000


@dataclass(slots=True, eq=False)
class Socket:
    """One WebSocket of a bot."""

    link: int
    pack: Pack = field(repr=False)
    bucket: TokenBucket = field(repr=False)
    session: "Session | None" = field(default=None, repr=False)
    watchdog: Timer | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class Session:
    """One login of a bot, over as many sockets as it takes."""

    id: str = field(repr=False)
    user_id: int
    intents: int
    shard: tuple[int, int]
    seq: int = 0
    resumes: int = 0
    socket: Socket | None = field(default=None, repr=False)
    timer: Timer | None = field(default=None, repr=False)
    _sent: deque[bytes] = field(default_factory=lambda: deque(maxlen=KEPT), repr=False)

    def number(self, name: str, data: dict[str, Any]) -> bytes:
        """Return an event as a message with the next sequence number, and keep it."""
        self.seq += 1
        message = msgspec.json.encode({"op": 0, "d": data, "s": self.seq, "t": name})
        self._sent.append(message)
        return message

    def since(self, seq: int) -> list[bytes] | None:
        """Return what was sent after ``seq``; None: no longer known in full."""
        missed = self.seq - seq
        if missed > len(self._sent):
            return None
        return list(self._sent)[len(self._sent) - missed :]
