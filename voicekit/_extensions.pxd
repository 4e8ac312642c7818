# RTP header extensions: what other Cython modules may call.

from libc.stdint cimport uint8_t, int32_t


# Values of the elements that belong to audio; -1 where absent.
cdef struct AudioExtensions:
    int audio_level     # 0 to 127, -dBov
    bint voice_activity
    int speaker_flags


cdef void read_audio_extensions(int32_t profile, const uint8_t* body, Py_ssize_t size,
                                AudioExtensions* out) noexcept nogil
