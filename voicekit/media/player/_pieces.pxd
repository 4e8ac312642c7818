# What the short way (`_short_way.pyx`) takes from a track, packet by packet.

cimport cython


# Not known to the garbage collector: there are a dozen for each call, new ones all the time, and it
# would stop a process with thousands of calls for a tenth of a second to look at them. They hold
# nothing that holds them: a piece that waits in its track does not know that.
cdef class Piece:
    cdef readonly Py_ssize_t samples
    cdef readonly double place
    cdef readonly Py_ssize_t lap
    cdef public object pcm
    cdef readonly Passed whole
    cdef readonly Py_ssize_t cut
    cdef readonly object packet


@cython.final
cdef class Passed(Piece):
    cdef readonly Py_ssize_t number
    cdef readonly Py_ssize_t age
    cdef readonly object state
    cdef object _fourth         # the packets before it, the last one first; None: there is none
    cdef object _third
    cdef object _second
    cdef object _first


cdef class Waiting:
    cdef public object source
    cdef public Py_ssize_t rendered
    cdef public list _pieces
    cdef public Py_ssize_t _samples
    cdef public object _lock
    cdef public bint _ended
    cdef public object _target
    cdef public Py_ssize_t _generation
    cdef public Py_ssize_t _lap
    cdef public Py_ssize_t _read_in_lap
    cdef public Py_ssize_t _packets
    cdef object _fourth         # the packets that were read last, as in `Passed`
    cdef object _third
    cdef object _second
    cdef object _first
    cdef public bint _is_at_end
    cdef public bint _has_position
    cdef public object _reads_plainly

    cdef double _place_c(self) except? -1
    cdef Passed _passed_c(self, packet, double place)
    # A packet that is next, read if that never blocks; None: `Renderer.render` knows better.
    cdef Passed take_passed(self)
