"""A decoder for each user who is heard as PCM."""

from ..._frame import AudioFrame
from ..._jitter import Lost
from ..concealment import Concealer

__all__ = ["Decoders"]


class Decoders:
    """PCM of many users: int16 at 48 kHz, ``channels`` interleaved. At most ``limit`` decoders.

    Raises `OpusNotFound` where there is no libopus.
    """

    def __init__(self, channels: int, limit: int) -> None:
        self._channels = channels
        self._limit = limit
        self._by_user: dict[int, tuple[int | None, Concealer]] = {}
        Concealer(channels=channels)  # tells now that libopus is missing, not with a frame

    def decode(self, user_id: int, item: AudioFrame | Lost, following: AudioFrame | None) -> bytes:
        """Return the PCM of one item; see `Concealer.decode`."""
        ssrc = None if isinstance(item, Lost) else item.ssrc
        known, concealer = self._of(user_id)
        if ssrc is not None and ssrc != known:
            if known is not None:  # another stream: what it was before means nothing to it
                concealer = Concealer(channels=self._channels)
            self._by_user[user_id] = (ssrc, concealer)
        return concealer.decode(item, following)

    def conceal(self, user_id: int, samples: int) -> bytes:
        """Return ``samples`` in place of what is late."""
        _, concealer = self._of(user_id)
        return concealer.conceal(samples)

    def forget(self, user_id: int) -> None:
        """Let go of a user's decoder."""
        self._by_user.pop(user_id, None)

    def _of(self, user_id: int) -> tuple[int | None, Concealer]:
        if user_id not in self._by_user:
            if len(self._by_user) >= self._limit:
                del self._by_user[next(iter(self._by_user))]
            self._by_user[user_id] = (None, Concealer(channels=self._channels))
        return self._by_user[user_id]
