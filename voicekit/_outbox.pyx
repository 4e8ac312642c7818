"""What a session has to say: events and released frames, and the count of drops."""

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
        self._expendable = []
        self._lasting = []
        self._limit = limit
        self._report = report

    cdef int put(self, object item) except -1:
        cdef list queue = self._expendable if isinstance(item, _EXPENDABLE) else self._lasting
        queue.append((self._order, item))
        self._order += 1
        self.size += 1
        if self.size > self._limit:
            self.size -= 1
            (self._expendable or self._lasting).pop(0)
            self._drops[<int> DROP_QUEUE_OVERFLOW] += 1
        return 0

    cdef object take(self):
        if self.size == 0:
            return None
        cdef list queue = self._lasting
        if self._expendable and (not queue or self._expendable[0][0] < queue[0][0]):
            queue = self._expendable
        self.size -= 1
        return queue.pop(0)[1]

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
