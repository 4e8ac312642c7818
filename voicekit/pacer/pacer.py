"""`Pacer`: sends the frames of many sessions when they are due, in a thread of its own."""

import atexit
import os
import socket
import threading
from types import TracebackType
from typing import Self

from .._crypto import TransportCipher, available_modes
from .._session import RtpSession
from ..connection import VoiceConnection
from ..errors import LocalProtocolError
from ._loop import Loop
from ._native import AVAILABLE, NativeLoop
from ._notifier import Notifier
from ._stream import Stream
from .policy import LatePolicy
from .stats import PacerStats
from .threaded import ThreadedLoop

__all__ = ["Pacer", "process_pacer"]


class Pacer:
    """One thread that sends for any number of sessions.

    ``native``: in C and without the GIL, or as a Python thread; None: native where that
    exists. ``cpu`` pins the native thread to one processor (Linux only); for one pacer per
    core, make one per core. ``realtime`` runs it before all ordinary threads (SCHED_RR), which
    helps where all processors are busy; `add` raises `PermissionError` where that is not
    allowed. The thread starts with the first `add` and runs until `close`,
    which the end of the interpreter calls. After a fork the child has none of it.

    Raises `LocalProtocolError` for what this build or platform does not have.
    """

    def __init__(
        self, *, native: bool | None = None, cpu: int | None = None, realtime: bool = False
    ) -> None:
        if native is None:
            native = AVAILABLE and not _sealing_needs_gil()
        if native and not AVAILABLE:
            raise LocalProtocolError("this build has no native pacer; there is native=False")
        if native and _sealing_needs_gil():
            raise LocalProtocolError("PyNaCl is only to be called with the GIL; native=False")
        if (cpu is not None or realtime) and not native:
            raise LocalProtocolError("cpu and realtime are for the native pacer")
        #: Whether it is the one in C.
        self.native = native
        self._loop: Loop = NativeLoop(cpu, realtime) if native else ThreadedLoop()
        self._lock = threading.Lock()
        self._closed = False

    def __repr__(self) -> str:
        kind = "native" if self.native else "threaded"
        return f"<Pacer {kind} streams={len(self._loop.streams)}>"

    def add(
        self,
        session: RtpSession | VoiceConnection,
        sock: socket.socket | int,
        *,
        depth: float = 0.1,
        policy: LatePolicy = LatePolicy.REBASE,
        clock_offset: float = 0.0,
        notifier: Notifier | None = None,
        owner: object = None,
    ) -> Stream:
        """Send for ``session`` over ``sock``, a connected UDP socket, until `Stream.remove`.

        The session is lent: only the stream seals audio meanwhile, while it still receives
        and sends RTCP. The socket is duplicated; the caller's is theirs to close.

        ``depth`` is how many seconds of audio may wait, up to 1.0: more survives longer pauses
        of the pushing program, and costs as much more when a key changes. ``clock_offset`` is
        the session's clock minus `time.monotonic`, in seconds: one conversion, here.
        ``notifier`` is told when frames are wanted or something has happened; ``owner`` is for
        the caller, as `Stream.owner`.

        Raises `LocalProtocolError` for a session without a key or lent already, and for a
        closed pacer.
        """
        with self._lock:
            if self._closed:
                raise LocalProtocolError("the pacer is closed")
            stream = Stream(
                self._loop,
                session,
                sock,
                depth=depth,
                policy=policy,
                clock_offset=clock_offset,
                notifier=notifier,
                owner=owner,
            )
            self._loop.streams.add(stream)
            try:
                self._loop.start()
            except BaseException:
                stream.remove()
                raise
            _open.add(self)
            return stream

    def stats(self) -> PacerStats:
        """Return the sums of all streams, removed ones included. Any thread."""
        return self._loop.stats()

    def close(self) -> None:
        """Remove all streams and end the thread. Idempotent."""
        with self._lock:
            self._closed = True
            _open.discard(self)
            self._loop.stop()
            for stream in list(self._loop.streams):
                stream.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._closed = True
        self._loop.forked()


def process_pacer() -> Pacer:
    """Return the pacer of this process, made at the first call; a new one after a fork."""
    global _of_process
    with _lock:
        if _of_process is None or _of_process._closed:
            _of_process = Pacer()
        return _of_process


def _sealing_needs_gil() -> bool:
    return TransportCipher(available_modes()[0], bytes(32)).needs_gil


_lock = threading.Lock()
_of_process: Pacer | None = None
#: Those whose threads run.
_open: set[Pacer] = set()


def _close_all() -> None:
    for pacer in list(_open):
        pacer.close()


def _forget_all() -> None:
    """In the child of a fork: threads did not come along, and locks may be held by nobody."""
    global _lock, _of_process
    _lock = threading.Lock()
    _of_process = None
    for pacer in list(_open):
        pacer._forked()
    _open.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
