# The Opus codec: what other Cython modules may call.

from libc.stdint cimport int32_t

# `...` matters: on arm64 macOS variadic arguments travel on the stack, named ones in
# registers, and a CTL called through a type without it reads garbage.
ctypedef int (*ctl_function)(void* state, int request, ...) noexcept nogil


cdef class Codec:
    cdef void* _state
    cdef ctl_function _ctl
    cdef readonly int sample_rate
    cdef readonly int channels

    # The CTLs: read a number, write one, write one within bounds; and by name.
    cdef int _get(self, int request, str name) except? -1
    cdef int _set(self, int request, int32_t value, str name) except -1
    cdef int _set_within(self, int request, value, int low, int high, str name) except -1
    cdef int _set_named(self, int request, dict choices, value, str name) except -1
    cdef object _get_named(self, int request, dict choices, str name)
    # Refuse what is not the length of a frame, in samples per channel.
    cdef int _check_frame(self, Py_ssize_t samples) except -1


cdef class Encoder(Codec):
    # The size of the packet, at most `capacity`.
    cdef int _encode(self, pcm, unsigned char* out, int32_t capacity) except -1


cdef class Decoder(Codec):
    # Samples per channel to conceal; those of a packet; and the decoded samples.
    cdef int _concealed_size(self, frame_size) except -1
    cdef int _packet_size(self, Py_buffer* data) except -1
    cdef bytes _decode(self, const unsigned char* data, int32_t size, int samples, bint fec)
