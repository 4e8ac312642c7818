"""Several signals at once: a bus to which frames are added, each with a gain that moves.

The sum is kept in float32: gains make fractions, and the plain sum of 512 signals at full scale
is still exact. A sum within full scale comes out as it is. One that passes it is bent by the
curve of `_gain.pyx`, from a knee that its peak decides. A knee that moved at once would be heard
as a click, so it moves while the signal is below the old and the new one, where both curves are
the same straight line.
"""

cimport cython
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport fabsf, isfinite, lrintf, sqrt
from libc.stdint cimport int16_t
from libc.string cimport memset

from ._gain cimport knee_of, soft_clip

__all__ = ["Bus", "level"]

cdef enum:
    CHANNELS = 2
    SAMPLE_BYTES = 2 * CHANNELS
    MOST_SAMPLES = 48_000       # a second: a bus is for frames

cdef float FULL_SCALE = 32767.0
# As in `_gain.pyx`: more makes every sample but 0 full scale.
cdef double MOST = 1e6


@cython.auto_pickle(False)
cdef class Bus:
    """Adds frames of int16 stereo in the machine's order, all of one length (``samples``).

    One thread at a time. What one frame does to the limit is remembered for the next.
    """

    def __cinit__(self, Py_ssize_t samples=960):
        if not 1 <= samples <= MOST_SAMPLES:
            raise ValueError(f"samples is 1 to {MOST_SAMPLES}, not {samples}")
        self._sum = <float*> PyMem_Calloc(samples * CHANNELS, sizeof(float))
        if self._sum is NULL:
            raise MemoryError
        self._samples = samples
        self._knee[0] = self._knee[1] = 1

    def __dealloc__(self):
        PyMem_Free(self._sum)

    @property
    def samples(self):
        """Samples of one frame, per channel."""
        return self._samples

    def add(self, pcm, double before=1.0, double after=1.0):
        """Add one frame, with the gain going from ``before`` to ``after`` over its length.

        Raises ``ValueError`` for a gain that is negative or not finite, or another length.
        """
        cdef Py_buffer view
        if not (isfinite(before) and isfinite(after) and before >= 0 and after >= 0):
            raise ValueError(f"a gain is a finite number of at least 0, not {before!r}, {after!r}")
        PyObject_GetBuffer(pcm, &view, PyBUF_C_CONTIGUOUS)
        try:
            if view.len != self._samples * SAMPLE_BYTES:
                raise ValueError(
                    f"a frame has {self._samples * SAMPLE_BYTES} bytes, not {view.len}")
            self.add_c(<const int16_t*> view.buf, before, after)
        finally:
            PyBuffer_Release(&view)

    def take(self):
        """Return the sum of what was added, within full scale; the next frame begins at silence."""
        cdef bytes out = PyBytes_FromStringAndSize(NULL, self._samples * SAMPLE_BYTES)
        self.take_c(<int16_t*> PyBytes_AS_STRING(out))
        return out

    cdef void add_c(self, const int16_t* pcm, double before, double after) noexcept nogil:
        before, after = min(before, MOST), min(after, MOST)
        cdef double step = (after - before) / self._samples
        cdef float gain
        cdef Py_ssize_t n
        if before == 1 and after == 1:
            for n in range(self._samples * CHANNELS):
                self._sum[n] += pcm[n]
            return
        for n in range(self._samples):
            gain = <float> (before + step * (n + 1))
            self._sum[CHANNELS * n] += pcm[CHANNELS * n] * gain
            self._sum[CHANNELS * n + 1] += pcm[CHANNELS * n + 1] * gain

    cdef void take_c(self, int16_t* out) noexcept nogil:
        cdef Py_ssize_t channel
        for channel in range(CHANNELS):
            self._knee[channel] = _limit(
                self._sum + channel, out + channel, self._samples, self._knee[channel])
        memset(self._sum, 0, self._samples * CHANNELS * sizeof(float))


cdef float _limit(const float* samples, int16_t* out, Py_ssize_t count, float knee) noexcept nogil:
    """Write one channel within full scale; return the knee with which it ended."""
    cdef float peak = 0
    cdef float sample, size, wanted, lower
    cdef Py_ssize_t n
    for n in range(count):
        sample = samples[CHANNELS * n]
        peak = max(peak, max(sample, -1 - sample))  # int16 goes to -32768
    wanted = knee_of(peak / FULL_SCALE)
    if knee == 1 and wanted == 1:
        for n in range(count):
            out[CHANNELS * n] = <int16_t> lrintf(samples[CHANNELS * n])
        return 1
    lower = min(knee, wanted)
    for n in range(count):
        sample = samples[CHANNELS * n] / FULL_SCALE
        if knee != wanted:
            size = fabsf(sample)
            # Past full scale it can not wait: cut flat is worse than a step.
            if size <= lower or (size > 1 and wanted < knee):
                knee = wanted
        out[CHANNELS * n] = <int16_t> lrintf(FULL_SCALE * soft_clip(sample, knee))
    return knee


def level(pcm):
    """Return how loud int16 samples are: their root mean square, 0 to 1 for full scale.

    Raises ``ValueError`` if the samples are cut.
    """
    cdef Py_buffer view
    cdef const int16_t* samples
    cdef Py_ssize_t n, count
    cdef long long power = 0
    PyObject_GetBuffer(pcm, &view, PyBUF_C_CONTIGUOUS)
    try:
        if view.len % 2:
            raise ValueError("PCM is cut in the middle of a sample")
        samples = <const int16_t*> view.buf
        count = view.len // 2
        for n in range(count):
            power += samples[n] * samples[n]
    finally:
        PyBuffer_Release(&view)
    return sqrt(<double> power / count) / FULL_SCALE if count else 0.0
