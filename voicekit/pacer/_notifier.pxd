# Which streams have something to say.

cimport cython

from .._atomic cimport vk_atomic


# One per stream; `owner` is a Python object that its notifier keeps alive.
cdef struct Note:
    Note* next
    void* owner
    vk_atomic waiting           # 1: on the stack


@cython.final
cdef class Notifier:
    cdef void* _top
    cdef int _fd                # to write to
    cdef object _reading        # a descriptor, or a socket
    cdef object _writing
    cdef set _owners
    cdef bint _closing

    # Any thread, with or without the GIL. Never waits.
    cdef void notify(self, Note* note) noexcept nogil
    cdef int watch(self, Note* note, object owner) except -1
    cdef int forget(self, Note* note, object owner) except -1
    cdef int _close_if_unused(self) except -1
