"""Loudness as people hear it: ITU-R BS.1770-4, the measure behind EBU R128.

Each channel goes through two filters (the head, which lifts what is above 2 kHz by 4 dB, and a
high pass at 38 Hz). The energy of both channels is summed over blocks of 400 ms that overlap
by three quarters; blocks below -70 LUFS, and then those 10 LU below the mean of the rest, are
left out: silence between songs does not make them quieter.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport log10
from libc.stdint cimport int16_t

__all__ = ["LoudnessMeter"]

cdef enum:
    CHANNELS = 2
    QUARTER = 4800          # 100 ms at 48 kHz

cdef double ABSOLUTE_GATE = -70.0   # LUFS
cdef double RELATIVE_GATE = -10.0   # LU
cdef double OFFSET = -0.691         # BS.1770: so that 997 Hz comes out at its level

# BS.1770-4, tables 1 and 2: the coefficients for 48 kHz.
cdef double[5] SHELF = [
    1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585]
cdef double[5] HIGHPASS = [1.0, -2.0, 1.0, -1.99004745483398, 0.99007225036621]


cdef inline double _step(const double* k, double* state, double sample) noexcept nogil:
    """A biquad, in transposed direct form II."""
    cdef double out = k[0] * sample + state[0]
    state[0] = k[1] * sample - k[3] * out + state[1]
    state[1] = k[2] * sample - k[4] * out
    return out


cdef double _lufs(double energy):
    return OFFSET + 10 * log10(energy) if energy > 0 else float("-inf")


cdef double _energy(double lufs):
    return 10 ** ((lufs - OFFSET) / 10)


cdef class LoudnessMeter:
    """Measures int16 stereo at 48 kHz, pushed in pieces of any length."""

    def __cinit__(self):
        self._blocks = []

    def push(self, pcm):
        """Measure on. Raises ``ValueError`` if the samples are cut."""
        cdef Py_buffer view
        PyObject_GetBuffer(pcm, &view, PyBUF_C_CONTIGUOUS)
        try:
            if view.len % (2 * CHANNELS):
                raise ValueError("PCM is cut in the middle of a sample")
            self._add(<const int16_t*> view.buf, view.len // (2 * CHANNELS))
        finally:
            PyBuffer_Release(&view)

    @property
    def integrated(self):
        """Loudness of all that was pushed, in LUFS; -inf for silence, or less than 400 ms."""
        loud = [block for block in self._blocks if block > _energy(ABSOLUTE_GATE)]
        if not loud:
            return float("-inf")
        gate = _lufs(sum(loud) / len(loud)) + RELATIVE_GATE
        loud = [block for block in loud if block > _energy(gate)]
        return _lufs(sum(loud) / len(loud))

    @property
    def peak(self):
        """The largest sample, in dB below full scale (0); -inf for silence."""
        return 20 * log10(self._peak / 32768.0) if self._peak else float("-inf")

    cdef void _add(self, const int16_t* pcm, Py_ssize_t count):
        cdef const int16_t* end = pcm + count * CHANNELS
        cdef int channel, size
        cdef double weighted
        while pcm < end:
            for channel in range(CHANNELS):
                size = abs(<int> pcm[channel])
                if size > self._peak:
                    self._peak = size
                weighted = _step(SHELF, self._shelf[channel], pcm[channel] / 32768.0)
                weighted = _step(HIGHPASS, self._highpass[channel], weighted)
                self._quarter += weighted * weighted
            pcm += CHANNELS
            self._in_quarter += 1
            if self._in_quarter == QUARTER:
                self._end_quarter()

    cdef void _end_quarter(self):
        self._quarters += 1
        if self._quarters > 3:
            self._blocks.append(
                (self._last[0] + self._last[1] + self._last[2] + self._quarter) / (4 * QUARTER))
        self._last[0], self._last[1] = self._last[1], self._last[2]
        self._last[2] = self._quarter
        self._quarter = 0
        self._in_quarter = 0
