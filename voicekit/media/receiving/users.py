"""Whom to listen to, and a table of them that can not grow without end."""

from collections.abc import Callable, Container, Iterator
from typing import Generic, TypeVar

from .speaker import Speaker

__all__ = ["SpeakerTable", "UserFilter", "accepts"]

#: User ids, or a function that says whether to listen to one. Asked for every frame: a set may
#: change meanwhile. None: everybody.
UserFilter = Container[int] | Callable[[int], bool] | None

S = TypeVar("S", bound=Speaker)


def accepts(users: UserFilter) -> Callable[[int], bool]:
    """Return a function that says whether to listen to a user."""
    if users is None:
        return lambda user_id: True
    if isinstance(users, Container):
        return users.__contains__
    return users


class SpeakerTable(Generic[S]):
    """Speakers by user id, at most ``limit``. ``make`` makes one."""

    def __init__(self, make: Callable[[int], S], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._speakers: dict[int, S] = {}

    def __iter__(self) -> Iterator[S]:
        return iter(self._speakers.values())

    def __len__(self) -> int:
        return len(self._speakers)

    def get(self, user_id: int) -> S | None:
        """Return one who was heard before."""
        return self._speakers.get(user_id)

    def add(self, user_id: int) -> tuple[S, S | None]:
        """Return a new one, and whoever had to go for it."""
        gone = None
        if len(self._speakers) >= self._limit:
            gone = min(self._speakers.values(), key=lambda speaker: speaker.last_arrival)
            self.remove(gone)
        speaker = self._speakers[user_id] = self._make(user_id)
        return speaker, gone

    def remove(self, speaker: S) -> None:
        """Forget one."""
        del self._speakers[speaker.user_id]
