"""Who spoke when, what was lost and what was encrypted: numbers, however long the recording."""

from ..._rtp import SAMPLE_RATE

__all__ = ["Activity"]

#: Two spurts with less than this between them (samples) are one: a breath is no pause.
BREATH = 3 * SAMPLE_RATE // 10


class Activity:
    """What one track has to say of itself. Positions are in samples from the beginning."""

    def __init__(self) -> None:
        self.spurts: list[tuple[float, float]] = []  #: begin and end, in seconds
        self.losses: list[tuple[int, int, int]] = []  #: second, packets lost, of which concealed
        self.encryption: list[tuple[float, bool]] = []  #: from when on it was, or was not
        self.encrypted = 0  #: frames with end-to-end encryption
        self.clear = 0  #: frames without; silence, which is always in clear, is in neither
        self._begin = 0
        self._end = -1  # of the current spurt; -1: there was none yet

    def hear(self, position: int, duration: int, e2ee: bool, silence: bool) -> None:
        """Count one frame."""
        if silence:
            return
        if e2ee:
            self.encrypted += 1
        else:
            self.clear += 1
        if not self.encryption or self.encryption[-1][1] is not e2ee:
            self.encryption.append((_seconds(position), e2ee))
        if self._end < 0:
            self._begin = position
        elif position - self._end > BREATH:
            self.spurts.append((_seconds(self._begin), _seconds(self._end)))
            self._begin = position
        self._end = position + duration

    def lose(self, position: int, packets: int) -> None:
        """Count lost packets."""
        self._add(position, packets, 0)

    def conceal(self, position: int, packets: int) -> None:
        """Count lost packets whose place was filled."""
        self._add(position, 0, packets)

    def all_spurts(self) -> list[tuple[float, float]]:
        """Return begin and end of each talk spurt, with the current one, in seconds."""
        current = [(_seconds(self._begin), _seconds(self._end))] if self._end >= 0 else []
        return self.spurts + current

    def _add(self, position: int, lost: int, concealed: int) -> None:
        second = position // SAMPLE_RATE
        if self.losses and self.losses[-1][0] == second:
            _, lost_before, concealed_before = self.losses.pop()
            lost += lost_before
            concealed += concealed_before
        self.losses.append((second, lost, concealed))


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 3)
