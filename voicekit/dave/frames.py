"""Which frames go out, and which come in: in clear, encrypted, or not at all.

What goes out:

    CLEAR      a version 0 call, or no key yet in this session, or an announced downgrade
    ENCRYPTED  from the first op 22 on
    silence    in place of a frame that may not go out in clear and has no key

The way back from ENCRYPTED to CLEAR is a new session or an announced downgrade, nothing
else. When the group is made anew in a running call, the old key serves on for those who
still have it: until one of them leaves, until an op 22 says that the others have another
key, for two seconds at most; then silence. So nobody who was removed goes on to hear us.

What comes in: frames with the marker are decrypted or refused, never taken for Opus. Clear
ones pass in a version 0 call, in the ten seconds after an upgrade, and if they are silence.
"""

from collections.abc import Callable

import msgspec

from .._frame_gate import MARKER, FrameGate
from .._sender import SendEpoch
from ..codes import SILENCE_FRAME
from ..events import DaveEvent, E2eeWithheld
from .backend import DaveBackend, Encrypt
from .transitions import KEEP_KEY, Transition

__all__ = ["MARKER", "DaveCounters", "FramePath"]

#: How long receivers keep old keys, and take clear frames after an upgrade: the paper.
KEY_EXPIRY = 10.0
#: How long the key of a group that is being made anew serves: as long as servers give a
#: transition.
ORPHAN_TIME = 2.0
#: Layers of receive keys that are kept at once. A join storm of 25 takes 25.
MAX_LAYERS = 64

#: Silence in place of a frame. Not the same object as the silence that a caller may send:
#: the sender counts what comes back unchanged as sent in clear.
_WITHHELD = bytes(bytearray(SILENCE_FRAME))
_ALWAYS = float("inf")


class DaveCounters(msgspec.Struct):
    """What was counted; ``stats().dave`` has it as a dict."""

    transitions: int = 0  #: executed
    recoveries: int = 0  #: op 31 sent
    commits_ignored: int = 0  #: of another group or an old epoch, such as replays
    welcomes_ignored: int = 0  #: while in a group
    proposals_ignored: int = 0  #: without effect: out of date, of strangers, or nothing left
    executes_ignored: int = 0  #: op 22 for an id that is not pending
    executes_missed: int = 0  #: op 22 that did not come: the new key was taken without it
    malformed: int = 0  #: messages that are not what their opcode says
    silenced: int = 0  #: frames that became silence for want of a key


class FramePath(FrameGate):
    """Frames of one connection. ``report`` takes its events.

    What happens per frame is `FrameGate`; what changes it is here.
    """

    def __init__(
        self,
        backend: DaveBackend,
        counters: DaveCounters,
        report: Callable[[DaveEvent], None],
        *,
        require_e2ee: bool = False,
    ) -> None:
        super().__init__(backend.decrypt, require_e2ee=require_e2ee)
        self._backend = backend
        self._counters = counters
        self._report = report
        self._withheld = False
        self.send_epoch = SendEpoch()
        self._orphaned_until: float | None = None  # the key's group is no more
        self._marked_until: float | None = None  # after a downgrade
        self._clear_until: float | None = _ALWAYS  # clear frames are taken; None: no more
        self._layer = 0
        self._expiries: list[tuple[float, int]] = []  # when, layers before
        self.generation = 0  #: grows with each change of receive keys

    def _silence(self) -> bytes:
        self._counters.silenced += 1
        if self._seal is None and not self._withheld:
            self._withheld = True
            self._report(E2eeWithheld())
        return _WITHHELD

    # -- what changes it ------------------------------------------------------------------

    @property
    def encrypted(self) -> bool:
        """Whether what is sent now is end-to-end encrypted, or else silence."""
        return self._seal is not None

    @property
    def layer(self) -> int:
        """The newest layer of receive keys."""
        return self._layer

    def begin_session(self) -> None:
        """A new session: no keys, everything in clear."""
        self.send_epoch.bump()
        self._backend.forget()
        self._seal = None
        self._withheld = False
        self._orphaned_until = None
        self._marked = False
        self._marked_until = None
        self._take_clear_until(_ALWAYS)
        self._expiries.clear()

    def _take_clear_until(self, when: float | None) -> None:
        self._clear_until = when
        self._takes_clear = when is not None

    def expect_encryption(self) -> None:
        """A group is being made: from now on frames with the marker are encrypted ones."""
        self._marked = True
        self._marked_until = None

    def orphan_key(self, now: float) -> None:
        """The group of the sending key is being made anew."""
        if self._seal is not None and self._orphaned_until is None:
            self._orphaned_until = now + ORPHAN_TIME

    def drop_orphaned_key(self) -> None:
        """The others have left the group that the sending key is of."""
        if self._orphaned_until is not None:
            self._drop_key()

    def _send_with(self, seal: Encrypt | None) -> None:
        """Change what is done to frames that go out; nobody sends those of before any more."""
        if seal is not self._seal:
            self.send_epoch.bump()
            self._seal = seal

    def _drop_key(self) -> None:
        if self._seal is not None:
            self._send_with(_no_key)
        self._orphaned_until = None

    def add_keys(self) -> None:
        """Make the receive keys of a new epoch usable at once."""
        self._layer += 1
        self._backend.add_receive_keys(self._layer)
        if self._layer > MAX_LAYERS:
            self._backend.drop_receive_keys(self._layer - MAX_LAYERS)
        self.generation += 1

    def take_clear(self) -> None:
        """A downgrade was announced: others may execute it before we do."""
        self._take_clear_until(_ALWAYS)

    def execute(
        self, transition: Transition, *, is_present: bool, downgrading: bool, now: float
    ) -> None:
        """Bring a transition into force.

        ``is_present``: its group is not being made anew. ``downgrading``: another one,
        to version 0, is still pending.
        """
        if transition.version == 0:
            self._send_with(None)
            self._orphaned_until = None
            self._take_clear_until(_ALWAYS)
            self._marked_until = now + KEY_EXPIRY
            self._expiries.append((now + KEY_EXPIRY, self._layer + 1))
            return
        if transition.key is None:
            self._send_with(_no_key)
        elif transition.key is not KEEP_KEY:
            self._send_with(self._backend.encryptor(transition.key))
        if self._seal is not None:
            self._withheld = False
        if is_present:
            self._orphaned_until = None
        if self._clear_until == _ALWAYS and self._seal is not None and not downgrading:
            self._take_clear_until(now + KEY_EXPIRY)
        if transition.layer:
            self._expiries.append((now + KEY_EXPIRY, transition.layer))

    def end_group(self) -> None:
        """We are the sole member: who left must not go on to hear us."""
        self._drop_key()

    # -- time -------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""
        times = [self._expiries[0][0]] if self._expiries else []
        times += [t for t in (self._orphaned_until, self._marked_until) if t is not None]
        if self._clear_until is not None and self._clear_until != _ALWAYS:
            times.append(self._clear_until)
        return min(times, default=None)

    def handle_timeout(self, now: float) -> None:
        """Drop old keys, end receive passthrough."""
        while self._expiries and self._expiries[0][0] <= now:
            _, before = self._expiries.pop(0)
            self._backend.drop_receive_keys(before)
        if self._marked_until is not None and self._marked_until <= now:
            self._marked = False
            self._marked_until = None
        if self._orphaned_until is not None and self._orphaned_until <= now:
            self._drop_key()
        if self._clear_until is not None and self._clear_until <= now:
            self._take_clear_until(None)


def _no_key(opus: bytes) -> bytes | None:
    return None
