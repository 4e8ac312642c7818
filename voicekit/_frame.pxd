# Received audio: what other Cython modules may call.

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t


@cython.final
cdef class AudioFrame:
    cdef readonly uint64_t user_id
    cdef readonly uint32_t ssrc
    cdef readonly bytes opus
    cdef readonly int64_t sequence
    cdef readonly int64_t rtp_time
    cdef readonly int duration
    cdef readonly bint marker
    cdef readonly bint e2ee
    cdef readonly double arrived
    cdef readonly int64_t lost_before
    cdef int _audio_level       # -1: absent
    cdef int _speaker_flags     # -1: absent
    cdef Py_ssize_t datagram_size   # of a frame that waits for its user: to be counted then

    cdef tuple _fields(self)


# An empty frame from the freelist, without a Python call. Its maker sets every attribute.
cdef inline AudioFrame new_frame():
    return AudioFrame.__new__(AudioFrame)
