"""Volume of int16 samples: a ramp from one gain to the next, and a soft limit at full scale.

A gain that jumps is heard as a click, so it moves linearly over the frame. Above 1 samples may
pass full scale: wrapped they crackle, cut flat they buzz. So the curve bends from a knee on:

     out
      1 |              ______
        |         _.--'            out = knee + (1 - knee) tanh((in - knee) / (1 - knee))
   knee |      .-'
        |    .'                    knee = 1 / gain, but at least 0.75: a gain barely above 1
        |  .'                      changes barely anything, and none at or below 1 does
        +-------|--------------- in
               knee
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport isfinite, lrintf, tanhf
from libc.stdint cimport int16_t

__all__ = ["amplify"]

cdef float LOWEST_KNEE = 0.75  # -2.5 dB: the loudest quarter is what bends
cdef float FULL_SCALE = 32767.0
# More makes every sample but 0 full scale, and stays far from where floats end.
cdef double MOST = 1e6


cdef float knee_of(float gain) noexcept nogil:
    if gain <= 1:
        return 1
    return max(LOWEST_KNEE, 1 / gain)


cdef float soft_clip(float sample, float knee) noexcept nogil:
    cdef float size = sample if sample >= 0 else -sample
    if size <= knee:
        return sample
    cdef float room = 1 - knee
    cdef float bent = 1 if room <= 0 else knee + room * tanhf((size - knee) / room)
    return bent if sample >= 0 else -bent


def amplify(pcm, double before, double after, int channels=2):
    """Return int16 samples with the gain going from ``before`` to ``after`` over their length.

    ``pcm`` is a contiguous buffer of interleaved samples in the machine's order. Raises
    ``ValueError`` for a gain that is negative or not finite, or samples that are cut.
    """
    cdef Py_buffer view
    cdef Py_ssize_t count
    cdef bytes out
    if not (isfinite(before) and isfinite(after) and before >= 0 and after >= 0):
        raise ValueError(f"a gain is a finite number of at least 0, not {before!r}, {after!r}")
    if channels < 1:
        raise ValueError(f"channels is at least 1, not {channels}")
    PyObject_GetBuffer(pcm, &view, PyBUF_C_CONTIGUOUS)
    try:
        if view.len % (2 * channels):
            raise ValueError("PCM is cut in the middle of a sample")
        out = PyBytes_FromStringAndSize(NULL, view.len)
        count = view.len // (2 * channels)
        _amplify(<const int16_t*> view.buf, <int16_t*> PyBytes_AS_STRING(out), count, channels,
                 before, after)
    finally:
        PyBuffer_Release(&view)
    return out


cdef void _amplify(const int16_t* source, int16_t* out, Py_ssize_t count, int channels,
                   double before, double after) noexcept nogil:
    before, after = min(before, MOST), min(after, MOST)
    cdef double step = (after - before) / count if count else 0
    cdef float largest = <float> max(before, after)
    cdef float knee = knee_of(largest)
    cdef float gain
    cdef Py_ssize_t n
    cdef int channel
    for n in range(count):
        gain = <float> (before + step * (n + 1))
        for channel in range(channels):
            out[channel] = <int16_t> lrintf(
                FULL_SCALE * soft_clip(source[channel] * gain / FULL_SCALE, knee))
        source += channels
        out += channels
