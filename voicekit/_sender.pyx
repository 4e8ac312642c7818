"""The sending half of a session: sequence numbers, the media clock, counters.

A session can be lent: then a `Borrower` seals and sends from a thread of its own, without
the GIL. It alone draws sequence numbers and timestamps meanwhile, while RTCP goes on to draw
from the same nonce counter. All numbers here are atomic, so that anybody may read them.
"""

cimport cython
from libc.math cimport NAN, isnan
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ._atomic cimport (
    vk_atomic_count,
    vk_atomic_load,
    vk_atomic_load_double,
    vk_atomic_store,
    vk_atomic_store_double,
)
from ._crypto cimport CRYPTO_OK, OVERHEAD, TransportCipher
from ._rtp cimport (
    DROP_BAD_FRAME,
    DROP_NONE,
    DROP_NOT_READY,
    FIXED_HEADER,
    OPUS,
    store_header,
)

__all__ = ["Borrower", "SendEpoch", "Sender"]

cdef enum:
    SAMPLES_PER_FRAME = 960
    WRAP_16 = 0xFFFF
    WRAP_32 = 0xFFFF_FFFF

cdef double SAMPLE_RATE = 48000.0
cdef double FRAMES_PER_SECOND = 50.0
# A bound for the conversion to an integer; no call lasts for 30 years.
cdef double LONGEST_PAUSE = 1e9


@cython.final
@cython.auto_pickle(False)
cdef class SendEpoch:
    """Counts the changes of what end-to-end encryption does to frames that are sent.

    It is bumped *before* each change. A frame that was encrypted under another value than
    the present one must not go out any more.
    """

    def bump(self):
        """Say that a change is coming."""
        vk_atomic_count(&self.value, 1)

    @property
    def current(self):
        """How many changes there were."""
        return vk_atomic_load(&self.value)


@cython.auto_pickle(False)
cdef class Borrower:
    """Seals and sends for a session, from a thread of its own."""

    cdef int freeze(self) except -1:
        return 0

    cdef int renew(self) except -1:
        return 0


@cython.final
@cython.auto_pickle(False)
cdef class Sender:
    """Numbers our packets. ``slack`` is `Config.media_clock_slack`."""

    def __cinit__(self, object dave, double slack):
        self.dave = dave
        self.gate = None if dave is None else dave.gate
        self.epoch = SendEpoch() if dave is None else dave.send_epoch
        self._slack = slack

    cdef void restart(self, uint32_t ssrc, uint16_t sequence, uint32_t timestamp) noexcept:
        self.ssrc = ssrc
        self._first_sequence = sequence
        self._first_timestamp = timestamp
        vk_atomic_store(&self._samples, 0)
        vk_atomic_store_double(&self._origin, NAN)
        vk_atomic_store(&self._ssrc_packets, 0)
        vk_atomic_store(&self._ssrc_octets, 0)

    # -- the numbers of the next packet ------------------------------------------

    cdef uint16_t sequence(self) noexcept nogil:
        return <uint16_t> (
            (self._first_sequence + vk_atomic_load(&self._ssrc_packets)) & WRAP_16)

    cdef uint32_t timestamp(self) noexcept nogil:
        return <uint32_t> (
            (self._first_timestamp + vk_atomic_load(&self._samples)) & WRAP_32)

    cdef double due(self) noexcept nogil:
        cdef double samples = <double> <int64_t> vk_atomic_load(&self._samples)
        return vk_atomic_load_double(&self._origin) + samples / SAMPLE_RATE

    cdef void set_due(self, double due) noexcept nogil:
        cdef double samples = <double> <int64_t> vk_atomic_load(&self._samples)
        vk_atomic_store_double(&self._origin, due - samples / SAMPLE_RATE)

    cdef void skip(self, uint32_t samples) noexcept nogil:
        vk_atomic_count(&self._samples, samples)

    cdef bint follow_clock(self, double now) noexcept nogil:
        cdef double late = now - self.due()
        cdef uint64_t frames
        if isnan(late):
            self.set_due(now)
            return True
        if not late > self._slack:
            return False
        # Whole frames: what is left over is jitter.
        frames = <uint64_t> (min(late, LONGEST_PAUSE) * FRAMES_PER_SECOND)
        vk_atomic_count(&self._samples, frames * SAMPLES_PER_FRAME)
        return True

    # -- one packet ----------------------------------------------------------------

    cdef bytes admit(self, object opus, int* duration, int* reason):
        cdef bytes plain = opus if type(opus) is bytes else bytes(memoryview(opus))
        cdef bytes frame = plain
        duration[0] = sendable_duration(plain)
        if duration[0] == 0:
            reason[0] = DROP_BAD_FRAME
            return None
        self.is_clear = True
        if not self.sends_clear():
            frame = self.dave.encrypt(plain) if self.gate is None else self.gate.encrypt_c(plain)
            if frame is None:
                reason[0] = DROP_NOT_READY
                return None
            # A frame let through is the same object; silence in its place gives nothing away.
            self.is_clear = frame is plain
        reason[0] = DROP_NONE
        return frame

    cdef int seal(self, TransportCipher cipher, uint8_t* out, const uint8_t* frame,
                  Py_ssize_t size, int duration, bint marker, bint is_clear) noexcept nogil:
        cdef uint32_t timestamp = self.timestamp()
        cdef int answer
        store_header(out, marker, OPUS, self.sequence(), timestamp, self.ssrc)
        answer = cipher.seal_c(out + FIXED_HEADER, out, FIXED_HEADER, frame, size)
        if answer == CRYPTO_OK:
            self.count(1, size, duration, is_clear, timestamp)
        return answer

    cdef void count(self, Py_ssize_t packets, Py_ssize_t octets, Py_ssize_t samples,
                    Py_ssize_t clear, uint32_t timestamp) noexcept nogil:
        vk_atomic_store(&self._last_timestamp, timestamp)
        vk_atomic_count(&self._samples, samples)
        vk_atomic_count(&self._ssrc_packets, packets)
        vk_atomic_count(&self._ssrc_octets, octets)
        vk_atomic_count(&self._packets, packets)
        vk_atomic_count(&self._bytes, packets * (FIXED_HEADER + OVERHEAD) + octets)
        vk_atomic_count(&self._clear, clear)

    # -- what was sent, for any thread -----------------------------------------------

    cdef uint32_t timestamp_at(self, double now) noexcept nogil:
        cdef double elapsed = now - self.due()
        if not -LONGEST_PAUSE < elapsed < LONGEST_PAUSE:
            elapsed = 0.0
        return self.timestamp() + <uint32_t> <int64_t> (elapsed * SAMPLE_RATE)

    @property
    def ssrc_packets(self):
        """Packets under this SSRC."""
        return vk_atomic_load(&self._ssrc_packets)

    @property
    def ssrc_octets(self):
        """Their payloads' size; 32 bits, as in sender reports (RFC 3550 §6.4.1)."""
        return vk_atomic_load(&self._ssrc_octets) & WRAP_32

    @property
    def last_sequence(self):
        """Sequence number of the last packet under this SSRC; None before the first."""
        return (self.sequence() - 1) & WRAP_16 if self.ssrc_packets else None

    @property
    def last_timestamp(self):
        """Its timestamp; None before the first."""
        return vk_atomic_load(&self._last_timestamp) if self.ssrc_packets else None

    @property
    def packets(self):
        """Packets of the session."""
        return vk_atomic_load(&self._packets)

    @property
    def bytes(self):
        """Size of their datagrams."""
        return vk_atomic_load(&self._bytes)

    @property
    def clear(self):
        """Those without end-to-end encryption."""
        return vk_atomic_load(&self._clear)
