# One paced stream: what _loop calls.

cimport cython

from .._datapath cimport Datapath
from ._schedule cimport Schedule, Slot


@cython.final
cdef class Stream(Schedule):
    cdef public object owner
    cdef readonly object session
    cdef Datapath _datapath     # of a connection; None: a session alone

    cdef int _check(self) except -1
    cdef int _enter(self) except -1
    cdef int _leave(self) except -1
    cdef int _renew_silence(self) except -1
    cdef int _fill(self, object read, bint finish) except -1
    cdef bint _has_room(self) except -1
    cdef bint _push(self, object opus) except -1
    cdef int _encrypt(self, bytes plain, Slot* slot) except -1
    cdef int _refresh_silence(self) except -1
    cdef list _discard(self, Py_ssize_t keep)
