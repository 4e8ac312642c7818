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
    # One frame of `samples` per channel, each of `item` bytes (2: int16, 4: float), straight
    # into `out`. Returns the size of the packet, at most `capacity`, or libopus's error, below
    # 0. The length of the frame is not checked. Not two calls on one encoder at once.
    cdef int32_t encode_c(self, const void* pcm, int samples, int item, unsigned char* out,
                          int32_t capacity) noexcept nogil
    # The size of the packet, at most `capacity`.
    cdef int _encode(self, pcm, unsigned char* out, int32_t capacity) except -1


cdef class Decoder(Codec):
    # One packet straight into `pcm`, with room for `samples` per channel of `item` bytes.
    # Returns the samples per channel, or libopus's error, below 0. NULL and 0 conceal `samples`;
    # so does `fec`, with the packet after the lost one. Not two calls on one decoder at once.
    cdef int decode_c(self, const unsigned char* packet, int32_t size, void* pcm, int samples,
                      int item, bint fec) noexcept nogil
    # Samples per channel to conceal; those of a packet; and the decoded samples.
    cdef int _concealed_size(self, frame_size) except -1
    cdef int _packet_size(self, Py_buffer* data) except -1
    cdef bytes _decode(self, const unsigned char* data, int32_t size, int samples, bint fec)
