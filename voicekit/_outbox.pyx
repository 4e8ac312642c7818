"""What a session has to say: events and released frames, and the count of drops."""

from collections import deque

cimport cython

from ._rtp cimport DROP_QUEUE_OVERFLOW

from ._frame import AudioFrame
from ._rtp import DROP_REASONS
from .events import PacketDropped, RtcpReceived

__all__ = ["Outbox"]

# What a host that does not poll loses first. All else says how things stand.
_EXPENDABLE = (AudioFrame, PacketDropped, RtcpReceived)


@cython.final
@cython.auto_pickle(False)
cdef class Outbox:
    """A bounded queue and the drop counters, shared by both halves of a session.

    ``limit`` is `Config.max_pending`, ``report`` is `Config.report_drops`.
    """

    def __cinit__(self, Py_ssize_t limit, bint report):
        self._waiting = deque()
        self._limit = limit
        self._report = report

    cdef int put(self, object item) except -1:
        if len(self._waiting) >= self._limit:
            self.make_room()
        self._waiting.append(item)
        return 0

    cdef int make_room(self) except -1:
        self._drops[<int> DROP_QUEUE_OVERFLOW] += 1
        for index, item in enumerate(self._waiting):
            if isinstance(item, _EXPENDABLE):
                del self._waiting[index]
                return 0
        self._waiting.popleft()
        return 0

    cdef object take(self):
        return self._waiting.popleft() if self._waiting else None

    cdef bint is_empty(self):
        return not self._waiting

    cdef int drop(self, int reason, Py_ssize_t size, int64_t ssrc) except -1:
        self._drops[reason] += 1
        if self._report:
            self.put(PacketDropped(
                DROP_REASONS[reason - 1], size, None if ssrc == NO_SSRC else ssrc))
        return 0

    cdef dict drops(self):
        return {
            str(reason): self._drops[index]
            for index, reason in enumerate(DROP_REASONS, 1) if self._drops[index]
        }
