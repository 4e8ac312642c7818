# Loudness: the state of the meter.

from libc.stdint cimport int16_t


cdef class LoudnessMeter:
    cdef double _shelf[2][2]        # state of the filters, by channel
    cdef double _highpass[2][2]
    cdef double _quarter            # energy of the 100 ms under way
    cdef Py_ssize_t _in_quarter     # samples in it
    cdef double _last[3]            # the three quarters before it
    cdef Py_ssize_t _quarters
    cdef list _blocks               # energy of each block of 400 ms, a new one every 100 ms
    cdef int _peak

    cdef void _add(self, const int16_t* pcm, Py_ssize_t count)
    cdef void _end_quarter(self)
