"""What a session was told, kept for a resume.

Messages are numbered 1, 2, 3 … 65535, 0, 1 …: 16 bits on the wire, so that the number
says where a client stands only relative to the newest one.
Source: https://discord.com/developers/docs/topics/voice-connections#buffered-resume
"""

from collections import deque
from collections.abc import Callable

__all__ = ["ReplayBuffer"]

#: What clients acknowledge before the first number.
NONE_SEEN = -1


#: Most of what is kept in all: proposals and commits of large groups have some 30 KB.
MAX_SIZE = 4 << 20


class ReplayBuffer:
    """The last ``length`` numbered messages of one session, as they were sent.

    Fewer, if they have more than ``size`` characters and bytes together.
    """

    def __init__(self, length: int, size: int = MAX_SIZE) -> None:
        self._messages: deque[str | bytes] = deque()
        self._length = length
        self._room = size
        self._count = 0

    @property
    def last(self) -> int:
        """The number of the newest message; 0 before the first."""
        return self._count & 0xFFFF

    @property
    def kept(self) -> list[str | bytes]:
        """All that is kept, the oldest first."""
        return list(self._messages)

    def add(self, encode: Callable[[int], str | bytes]) -> str | bytes:
        """Number one message, keep it, and return what ``encode`` made of the number."""
        self._count += 1
        message = encode(self.last)
        self._messages.append(message)
        self._room -= len(message)
        while self._room < 0 or len(self._messages) > self._length:
            self._room += len(self._messages.popleft())
        return message

    def since(self, seq_ack: int) -> list[str | bytes] | None:
        """Return what came after ``seq_ack``; None where that is no longer known.

        A number that was never sent is as far away as one that was long forgotten.
        """
        if seq_ack == NONE_SEEN:
            missed = self._count
        else:
            missed = (self.last - seq_ack) & 0xFFFF
        if missed > len(self._messages):
            return None
        return self.kept[len(self._messages) - missed :]
