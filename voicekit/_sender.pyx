"""The sending half of a session: sequence numbers, the media clock, counters."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from ._crypto cimport CRYPTO_OK, OVERHEAD, TransportCipher
from ._opus_toc cimport opus_duration_c
from ._rtp cimport (
    DROP_BAD_FRAME,
    DROP_NONE,
    DROP_NOT_READY,
    FIXED_HEADER,
    OPUS,
    store_header,
)

__all__ = ["Sender"]

cdef enum:
    # RFC 6716 §3.2: at most 48 frames (R5) of 1 275 bytes (R2), lengths and padding aside.
    # Nothing larger is Opus, and this still fits a datagram.
    LARGEST_OPUS = 48 * 1275
    SAMPLES_PER_FRAME = 960

cdef double SAMPLE_RATE = 48000.0
cdef double FRAMES_PER_SECOND = 50.0
# A bound for the conversion to an integer; no call lasts for 30 years.
cdef double LONGEST_PAUSE = 1e9


@cython.final
@cython.auto_pickle(False)
cdef class Sender:
    """Numbers our packets. ``slack`` is `Config.media_clock_slack`."""

    def __cinit__(self, object dave, double slack):
        self.dave = dave
        self._slack = slack

    cdef void restart(self, uint32_t ssrc, uint16_t sequence, uint32_t timestamp) noexcept:
        self.ssrc = ssrc
        self.sequence = sequence
        self.timestamp = timestamp
        self.sent_any = False
        self.running = False
        self.ssrc_packets = 0
        self.ssrc_octets = 0

    cdef bytes admit(self, object opus, int* duration, int* reason):
        cdef bytes plain = opus if type(opus) is bytes else bytes(memoryview(opus))
        cdef bytes frame = plain
        cdef Py_ssize_t size = PyBytes_GET_SIZE(plain)
        duration[0] = opus_duration_c(<const uint8_t*> PyBytes_AS_STRING(plain), size)
        if duration[0] == 0 or size > LARGEST_OPUS:
            reason[0] = DROP_BAD_FRAME
            return None
        self._is_clear = True
        if self.dave is not None:
            frame = self.dave.encrypt(frame)
            if frame is None:
                reason[0] = DROP_NOT_READY
                return None
            # A frame let through is the same object; silence in its place gives nothing away.
            self._is_clear = frame is plain
        reason[0] = DROP_NONE
        return frame

    cdef bint follow_clock(self, double now) noexcept:
        cdef double late = now - self.due
        cdef int64_t frames
        if not self.running:
            self.running = True
            self.due = now
            return True
        if not late > self._slack:
            return False
        # Whole frames: what is left over is jitter.
        frames = <int64_t> (min(late, LONGEST_PAUSE) * FRAMES_PER_SECOND)
        self.timestamp += <uint32_t> (frames * SAMPLES_PER_FRAME)
        self.due += frames / FRAMES_PER_SECOND
        return True

    cdef int seal(self, TransportCipher cipher, uint8_t* out, bytes frame, int duration,
                  bint marker) noexcept:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(frame)
        cdef int answer
        store_header(out, marker, OPUS, self.sequence, self.timestamp, self.ssrc)
        answer = cipher.seal_c(
            out + FIXED_HEADER, out, FIXED_HEADER,
            <const uint8_t*> PyBytes_AS_STRING(frame), size)
        if answer != CRYPTO_OK:
            return answer
        self.sent_any = True
        self.last_sequence = self.sequence
        self.last_timestamp = self.timestamp
        self.sequence += 1
        self.timestamp += <uint32_t> duration
        self.due += duration / SAMPLE_RATE
        self.packets += 1
        self.bytes += FIXED_HEADER + size + OVERHEAD
        self.clear += self._is_clear
        self.ssrc_packets += 1
        self.ssrc_octets += <uint32_t> size
        return CRYPTO_OK

    cdef uint32_t timestamp_at(self, double now) noexcept:
        cdef double elapsed = now - self.due if self.running else 0.0
        if not -LONGEST_PAUSE < elapsed < LONGEST_PAUSE:
            elapsed = 0.0
        return self.timestamp + <uint32_t> <int64_t> (elapsed * SAMPLE_RATE)
