"""Who sits at which leaf of the MLS tree, as everybody can count it (RFC 9420 §7.7, §12.1)."""

__all__ = ["Leaves"]


class Leaves:
    """The leaves of one group: removed ones go blank, newcomers take the leftmost blank one."""

    def __init__(self) -> None:
        self._leaves: list[int | None] = []

    @property
    def users(self) -> tuple[int, ...]:
        """Who is in the group."""
        return tuple(user for user in self._leaves if user is not None)

    def __contains__(self, user_id: int) -> bool:
        return user_id in self._leaves

    def index(self, user_id: int) -> int:
        """Return the leaf of a member. Raises ``ValueError`` for anybody else."""
        return self._leaves.index(user_id)

    def add(self, user_id: int) -> None:
        """Seat a newcomer."""
        if None in self._leaves:
            self._leaves[self._leaves.index(None)] = user_id
        else:
            self._leaves.append(user_id)

    def remove(self, user_id: int) -> None:
        """Blank the leaf of a member."""
        self._leaves[self._leaves.index(user_id)] = None

    def clear(self) -> None:
        """Forget the group."""
        self._leaves.clear()
