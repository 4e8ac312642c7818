"""WebSockets in memory: what a `Pair` lays between a client and the server."""

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicekit.testing.client import Client

__all__ = ["CLOSE", "OPENED", "Item", "Pipe", "WebSocketWire"]

#: Kinds of the items of a `Pipe` that are not messages.
OPENED = "opened"
CLOSE = "close"

#: A text message, a binary one, or (kind, close code, reason or path).
Item = str | bytes | tuple[str, int | None, str]


class Pipe:
    """One direction of a WebSocket: ordered, reliable, late by ``delay`` seconds."""

    def __init__(self) -> None:
        self._items: deque[tuple[float, Item]] = deque()

    def put(self, item: Item, due: float) -> None:
        """Let ``item`` arrive at ``due``, but never before what was put earlier."""
        if self._items:
            due = max(due, self._items[-1][0])
        self._items.append((due, item))

    def get(self, now: float) -> Item | None:
        """Return the next item that has arrived by ``now``."""
        if self._items and self._items[0][0] <= now:
            return self._items.popleft()[1]
        return None

    def next_timeout(self) -> float | None:
        """Return when the next item arrives."""
        return self._items[0][0] if self._items else None

    def __len__(self) -> int:
        return len(self._items)

    def clear(self) -> None:
        """Lose everything that is on its way."""
        self._items.clear()


class WebSocketWire:
    """One WebSocket: the number it has at each end, and a pipe each way."""

    def __init__(self, owner: "Client", client_link: int, server_link: int) -> None:
        self.owner = owner
        self.client_link = client_link
        self.server_link = server_link
        self.to_client = Pipe()
        self.to_server = Pipe()
        self.client_open = True  #: the client has not closed it, nor been told it is closed
        self.server_open = False  #: the server knows it
        self.muted = False  #: messages vanish both ways; nobody is told (a dead NAT entry)

    @property
    def is_busy(self) -> bool:
        """Whether anything is on its way."""
        return bool(self.to_client or self.to_server)

    def clear(self) -> None:
        """Lose everything that is on its way."""
        self.to_client.clear()
        self.to_server.clear()
