"""The engine on a ring that is told when to send: no clock, no thread, no event loop."""

from collections import deque

from voicekit.media.player import Engine, PlayerEvent, Track

DEPTH = 5


class ToldRing:
    """What the engine asks of the pacer's stream; `send` is the deadline of a frame."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.sent: list[bytes] = []
        self.is_paused = False
        self.is_held = False
        self.is_ending = False
        self.finished = 0

    @property
    def room(self) -> int:
        return DEPTH - len(self.waiting)

    @property
    def queued(self) -> int:
        return len(self.waiting)

    @property
    def position(self) -> int:
        return len(self.sent)

    def push(self, opus: bytes, /) -> bool:
        assert self.room
        self.waiting.append(opus)
        self.is_ending = False
        return True

    def hold(self) -> None:
        self.is_held = True

    def release(self) -> None:
        self.is_held = False

    def discard(self, keep: int = 0) -> list[bytes]:
        taken = [self.waiting.pop() for _ in range(max(0, len(self.waiting) - keep))]
        return taken[::-1]

    def finish(self) -> None:
        self.is_ending = True

    def stop(self) -> list[bytes]:
        self.is_paused, self.is_ending = False, True
        return self.discard()

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def send(self) -> None:
        assert not self.is_held, "a schedule does not begin while frames are pushed"
        if self.waiting and not self.is_paused:
            self.sent.append(self.waiting.popleft())
        if not self.waiting and self.is_ending:
            self.is_ending = False
            self.finished += 1


class Rig(Engine):
    """An engine that reads what may block when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[PlayerEvent] = []
        self.ring = ToldRing()
        self._attach(self.ring)

    def tick(self, count: int = 1) -> None:
        """Let time pass: frames are sent, and the ring refilled."""
        for _ in range(count):
            finished = self.ring.finished
            self.ring.send()
            if self.ring.finished != finished:
                self._note_finished()
            self.serve()

    def read(self, track: Track | None = None) -> None:
        """Do what readers do in their threads."""
        for one in self._tracks if track is None else [track]:
            while one.wants(ahead := self.wants(one)):
                one.read(ahead)
        self.serve()

    def put_on(self, track: Track) -> Track:
        self._replace(track)
        return track

    def _admit(self, track: Track) -> None:
        """Nothing: `read` does."""

    def _dismiss(self, track: Track) -> None:
        track.close()

    def _deliver(self) -> None:
        self.events += self._happened
        self._happened = []
        calls, self._calls = self._calls, []
        for after, error in calls:
            after(error)
