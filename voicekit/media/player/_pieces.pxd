# What the short way (`_short_way.pyx`) takes from a track, packet by packet.

cimport cython


cdef class Piece:
    cdef readonly Py_ssize_t samples
    cdef readonly double place
    cdef readonly Py_ssize_t lap
    cdef public object pcm
    cdef readonly Passed whole
    cdef readonly Py_ssize_t cut
    cdef readonly object packet
    cdef readonly Py_ssize_t number
    cdef readonly tuple recent


@cython.final
cdef class Passed(Piece):
    cdef readonly object track
    cdef readonly Py_ssize_t age
    cdef readonly object state


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
    cdef public tuple _recent
    cdef public bint _is_at_end
    cdef public bint _has_position
    cdef public object _reads_plainly

    cdef double _place_c(self) except? -1
    cdef Passed _passed_c(self, packet, double place)
    # A packet that is next, read if that never blocks; None: `Renderer.render` knows better.
    cdef Passed take_passed(self)
