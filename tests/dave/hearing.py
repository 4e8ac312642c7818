"""Who ought to hear whom, and who did.

A pair (speaker, listener) is established once the speaker has executed a transition of an
epoch that the listener is a member of, and the listener has entered. What is sent from then
on must be heard.
"""

from collections import defaultdict

from voicekit.events import AudioFrame


class Hearing:
    """Notes of one call. Transition ids grow, so the later one is the later epoch."""

    def __init__(self) -> None:
        self._entered: dict[int, tuple[int, float]] = {}
        self._executed: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self._spoken: dict[int, list[tuple[bytes, float]]] = defaultdict(list)
        self._heard: dict[tuple[int, int], dict[bytes, float]] = defaultdict(dict)
        self.doubles = 0

    def entered(self, user_id: int, transition_id: int, now: float) -> None:
        self._entered[user_id] = (transition_id, now)

    def switched(self, user_id: int, transition_id: int, now: float) -> None:
        self._executed[user_id].append((transition_id, now))

    def spoke(self, user_id: int, opus: bytes, now: float) -> None:
        self._spoken[user_id].append((opus, now))

    def heard(self, user_id: int, frame: AudioFrame, now: float) -> None:
        heard = self._heard[frame.user_id, user_id]
        self.doubles += frame.opus in heard
        heard[frame.opus] = now

    def established_at(self, speaker: int, listener: int) -> float | None:
        if listener not in self._entered:
            return None
        transition_id, entered = self._entered[listener]
        switches = (when for id_, when in self._executed[speaker] if id_ >= transition_id)
        first = next(switches, None)
        return None if first is None else max(first, entered)

    def pairs(self) -> list[tuple[int, int]]:
        return [(s, other) for s in self._entered for other in self._entered if s != other]

    def lost(self, speaker: int, listener: int, until: float) -> tuple[int, int]:
        """Frames that were not heard, and frames that ought to have been."""
        since = self.established_at(speaker, listener)
        if since is None:
            return 0, 0
        due = [opus for opus, when in self._spoken[speaker] if since <= when <= until]
        heard = self._heard[speaker, listener]
        return sum(opus not in heard for opus in due), len(due)

    def last_switch(self) -> float:
        return max(when for switches in self._executed.values() for _, when in switches)

    def in_order(self) -> bool:
        return all(
            [*heard] == sorted(heard, key=lambda opus: opus[1:5]) for heard in self._heard.values()
        )
