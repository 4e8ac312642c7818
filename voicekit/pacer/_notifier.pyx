"""`Notifier`: one descriptor that becomes readable when streams have something to say.

Streams wait on a stack that any thread pushes on without waiting, and `take` takes whole.
Only the push on an empty stack writes to the descriptor, and `take` reads it first: a stream
that comes in between is either in the list or makes the descriptor readable again.
"""

import os
import socket

cimport cython

from .._atomic cimport vk_release, vk_take
from ._threads cimport VK_THREADS, vk_make_readable, vk_push, vk_take_all

__all__ = ["Notifier"]


@cython.final
cdef class Notifier:
    """Tells an event loop which of many streams want frames or have an event.

    Wait until `fileno` is readable, then serve each stream of `take`: refill it, and `poll`
    it. One notifier is enough for all streams of an event loop. Nobody has to take: the
    pacer never waits for it.
    """

    def __cinit__(self):
        self._owners = set()
        if hasattr(os, "eventfd"):
            self._reading = self._writing = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._fd = self._reading
        else:
            self._reading, self._writing = socket.socketpair()
            self._reading.setblocking(False)
            self._writing.setblocking(False)
            self._fd = self._writing.fileno()

    def __dealloc__(self):
        self._close()

    def fileno(self):
        """The descriptor that is readable when `take` has something to return; -1: closed."""
        if self._reading is None:
            return -1
        return self._reading if isinstance(self._reading, int) else self._reading.fileno()

    def take(self):
        """Return the streams that have something to say, each once. Never waits.

        A stream is told of again only after it was taken. It wants frames when less than half
        of its depth is queued: `fill` or `push`; what happened to it comes from `poll`.
        """
        cdef Note* note
        cdef Note* following
        if self._reading is None:
            return []
        self._drain()
        note = <Note*> vk_take_all(&self._top)
        taken = []
        while note != NULL:
            following = note.next
            owner = <object> note.owner
            vk_release(&note.waiting)
            if owner.is_removed:
                self._owners.discard(owner)
            else:
                taken.append(owner)
            note = following
        taken.reverse()
        return taken

    def close(self):
        """Tell of nothing any more. The descriptor closes with the last stream that uses it."""
        self._closing = True
        self._close_if_unused()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.close()

    def __reduce__(self):
        raise TypeError("a notifier is of one process")

    cdef void notify(self, Note* note) noexcept nogil:
        # Streams and `take` agree by the flag on who owns `next`.
        if vk_take(&note.waiting) and vk_push(&self._top, note, <void**> &note.next):
            if VK_THREADS:
                vk_make_readable(self._fd)
            else:
                _make_readable(self._writing)

    cdef int watch(self, Note* note, object owner) except -1:
        self._owners.add(owner)
        note.owner = <void*> owner
        return 0

    cdef int forget(self, Note* note, object owner) except -1:
        # One that is on the stack stays alive until it is taken.
        if vk_take(&note.waiting):
            self._owners.discard(owner)
        self._close_if_unused()
        return 0

    cdef int _close_if_unused(self) except -1:
        if self._closing and self._reading is not None:
            self.take()
            if not self._owners:
                self._close()
        return 0

    def _drain(self):
        try:
            if isinstance(self._reading, int):
                os.eventfd_read(self._reading)
            else:
                while len(self._reading.recv(4096)) == 4096:
                    pass
        except BlockingIOError:
            pass

    def _close(self):
        reading, writing = self._reading, self._writing
        self._reading = self._writing = None
        self._fd = -1
        if isinstance(reading, int):
            os.close(reading)
        elif reading is not None:
            reading.close()
            writing.close()


cdef void _make_readable(object writing) noexcept with gil:
    try:
        if isinstance(writing, int):
            os.eventfd_write(writing, 1)
        else:
            writing.send(b"\0")
    except OSError:
        pass  # full: it is readable already
