"""The pacer's own thread: C from end to end, without the GIL, so that no Python code delays it.

It sleeps to absolute deadlines on the monotonic clock. A near one is slept to with
`clock_nanosleep`; a far one is waited for on the wheel's condition variable, with the same
clock and precision, so that a stream that begins meanwhile can end the wait.
"""

import os

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t

from ._loop cimport Loop
from ._threads cimport (
    VK_THREADS,
    vk_lock,
    vk_now,
    vk_signal,
    vk_sleep_until,
    vk_thread_be_punctual,
    vk_thread_cpu,
    vk_thread_join,
    vk_thread_make_realtime,
    vk_thread_pin,
    vk_thread_start,
    vk_unlock,
    vk_wait,
    vk_wait_until,
)
from ._wheel cimport NEAR, NEVER

__all__ = ["AVAILABLE", "NativeLoop"]

#: Whether this build has threads of its own; otherwise a Python thread takes their place.
AVAILABLE = bool(VK_THREADS)


cdef void* _thread_main(void* loop) noexcept nogil:
    (<NativeLoop> loop)._run()
    return NULL


@cython.auto_pickle(False)
cdef class NativeLoop(Loop):
    """The loop in a C thread.

    ``cpu``: the processor to pin it to (Linux); None: any. ``realtime``: ask for SCHED_RR.
    """

    def __init__(self, cpu=None, realtime=False):
        self._cpu = -1 if cpu is None else cpu
        self._realtime = realtime

    def start(self):
        """Start the thread, if it does not run. Raises `OSError` where that fails."""
        cdef int error
        if self._running:
            return
        self._stopping = False
        error = vk_thread_start(&self._thread, _thread_main, <void*> self)
        if error:
            raise OSError(error, os.strerror(error))
        self._running = True
        Py_INCREF(self)  # the thread uses this object
        if self._cpu >= 0:
            self._insist(
                vk_thread_pin(self._thread, self._cpu),
                f"the pacer can not be pinned to processor {self._cpu}")
        if self._realtime:
            self._insist(
                vk_thread_make_realtime(self._thread),
                "the pacer may not run in real time here: it takes root, CAP_SYS_NICE, or a"
                " limit of RLIMIT_RTPRIO (ulimit -r) of 1 or more")

    def _insist(self, int error, why):
        if error:
            self.stop()
            raise OSError(error, why)

    def stop(self):
        """End the thread and wait for that."""
        if not self._running:
            return
        vk_lock(&self._lock)
        self._stopping = True
        vk_signal(&self._lock)
        vk_unlock(&self._lock)
        with nogil:
            vk_thread_join(self._thread)
        self._running = False
        Py_DECREF(self)

    def forked(self):
        """In the child of a fork: the thread is not here."""
        Loop.forked(self)
        if self._running:
            self._running = False
            Py_DECREF(self)

    @property
    def cpu_seconds(self):
        """Processor time of the thread, in seconds; 0.0 where that is unknown."""
        return vk_thread_cpu(self._thread) / 1e9 if self._running else 0.0

    cdef void _run(self) noexcept nogil:
        cdef int64_t due
        cdef int64_t now
        vk_thread_be_punctual()
        vk_lock(&self._lock)
        while not self._stopping:
            due = self.next_due()
            now = vk_now()
            if due <= now:
                vk_unlock(&self._lock)
                self.turn(now)
                vk_lock(&self._lock)
            elif due - now <= NEAR:
                vk_unlock(&self._lock)
                vk_sleep_until(due)
                vk_lock(&self._lock)
            else:
                self._sleeping_until = due
                if due == NEVER:
                    vk_wait(&self._lock)
                else:
                    vk_wait_until(&self._lock, due)
                self._sleeping_until = 0
        vk_unlock(&self._lock)
