"""Many packets at once: what is held while they are sealed or opened, and in which steps.

Everything that touches a Python object happens before the cipher is at work, or after it:
so that other threads may run meanwhile, and can change nothing of it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from ._crypto cimport OVERHEAD, NonceCounter, SealJob, TransportCipher, pinned
from ._datagrams cimport Datagram, DatagramBatch
from ._outbox cimport Outbox
from ._rtp cimport (
    DROP_BAD_FRAME,
    DROP_NONCE_EXHAUSTED,
    DROP_NONE,
    FIXED_HEADER,
    OPUS,
    PacketView,
    open_packet_c,
    store_header,
)
from ._sender cimport Sender, sendable_duration

__all__ = ["OpenBatch", "SealBatch"]


@cython.final
@cython.auto_pickle(False)
cdef class SealBatch:
    """Frames on their way to become ``packets``."""

    def __dealloc__(self):
        PyMem_Free(self._jobs)

    cdef int admit(self, object opus, Sender sender, Outbox outbox) except -1:
        """Take Opus packets and encrypt them end to end."""
        cdef Py_ssize_t count = 0
        cdef int reason = DROP_NONE
        cdef int duration = 0
        cdef bint plain = sender.sends_clear()
        cdef bint clear
        cdef bytes frame
        self._given = tuple(opus)
        self._held = []
        self._jobs = <SealJob*> PyMem_Malloc(
            len(self._given) * (sizeof(SealJob) + sizeof(Frame)) + 1)
        if self._jobs == NULL:
            raise MemoryError
        self._frames = <Frame*> &self._jobs[len(self._given)]
        for packet in self._given:
            if plain and type(packet) is bytes:
                # What `Sender.admit` comes to, without the call.
                frame = <bytes> packet
                clear = True
                duration = sendable_duration(frame)
                reason = DROP_BAD_FRAME
            else:
                frame = sender.admit(packet, &duration, &reason)
                clear = sender.is_clear
            if frame is None or duration == 0:
                outbox.drop(reason, len(packet), sender.ssrc)
                continue
            if frame is not packet:
                self._held.append(frame)
            self._frames[count].duration = duration
            self._frames[count].is_clear = clear
            self._jobs[count].plain = <const uint8_t*> PyBytes_AS_STRING(frame)
            self._jobs[count].size = PyBytes_GET_SIZE(frame)
            count += 1
        self.count = count
        return 0

    cdef int number(self, Sender sender, NonceCounter counter, Outbox outbox, bint mark,
                    double now) except -1:
        """Draw nonces, make the packets with their headers, and count them as sent.

        One packet follows the other, whatever the clock says: it is asked for the first.
        """
        cdef Py_ssize_t admitted = self.count
        cdef Py_ssize_t clear = 0
        cdef bint marker = admitted > 0 and sender.follow_clock(now) and mark
        cdef uint32_t timestamp = sender.timestamp()
        cdef uint32_t first = timestamp
        cdef uint16_t sequence = sender.sequence()
        cdef bytes packet
        cdef SealJob* job
        self._first_nonce = counter.take_many(&self.count)
        for index in range(self.count, admitted):
            outbox.drop(DROP_NONCE_EXHAUSTED, self._jobs[index].size, sender.ssrc)
        self.packets = [None] * self.count
        for index in range(self.count):
            job = &self._jobs[index]
            packet = PyBytes_FromStringAndSize(NULL, FIXED_HEADER + job.size + OVERHEAD)
            self.packets[index] = packet
            job.out = <uint8_t*> PyBytes_AS_STRING(packet)
            job.header_size = FIXED_HEADER
            store_header(job.out, marker, OPUS, sequence, timestamp, sender.ssrc)
            marker = False
            sequence += 1
            timestamp += <uint32_t> self._frames[index].duration
            self.octets += job.size
            clear += self._frames[index].is_clear
        if self.count:
            sender.count(self.count, self.octets, timestamp - first, clear,
                         timestamp - <uint32_t> self._frames[self.count - 1].duration)
        return 0

    cdef int seal(self, TransportCipher cipher) noexcept nogil:
        return cipher.seal_jobs(self._jobs, self.count, self._first_nonce)


@cython.final
@cython.auto_pickle(False)
cdef class OpenBatch:
    """Datagrams that nobody changes, and what is in them."""

    def __dealloc__(self):
        if self._read is not None:
            self._read.readers -= 1
        PyMem_Free(self.datagrams)
        PyMem_Free(self.views)

    cdef int _allocate(self, Py_ssize_t count) except -1:
        self.datagrams = <Datagram*> PyMem_Malloc(count * sizeof(Datagram) + 1)
        if self.datagrams == NULL:
            raise MemoryError
        self.count = count
        return 0

    cdef int hold(self, object datagrams) except -1:
        """Take buffers."""
        self._held = pinned(datagrams)
        self._allocate(len(self._held))
        for index in range(self.count):
            self.datagrams[index].data = <const uint8_t*> PyBytes_AS_STRING(self._held[index])
            self.datagrams[index].size = PyBytes_GET_SIZE(self._held[index])
            self.octets += self.datagrams[index].size
        return 0

    cdef int read(self, DatagramBatch batch) except -1:
        """Take what is in the slots of a `DatagramBatch`, without a copy."""
        self._allocate(batch.count)
        self._read = batch
        batch.readers += 1
        for index in range(self.count):
            self.datagrams[index].data = batch.at(index)
            self.datagrams[index].size = batch.sizes[index]
            self.octets += batch.sizes[index]
        return 0

    cdef int make_room(self) except -1:
        """Prepare for `open`."""
        self.views = <PacketView*> PyMem_Malloc(
            self.count * (sizeof(PacketView) + sizeof(int)) + self.octets)
        if self.views == NULL:
            raise MemoryError
        self.answers = <int*> &self.views[self.count]
        self.plain = <uint8_t*> &self.answers[self.count]
        return 0

    cdef void open(self, TransportCipher cipher) noexcept nogil:
        """`open_packet_c` for each; the scratch of one begins where that of the last ends."""
        cdef uint8_t* plain = self.plain
        cdef Datagram* datagram
        for index in range(self.count):
            datagram = &self.datagrams[index]
            self.answers[index] = open_packet_c(
                cipher, datagram.data, datagram.size, plain, &self.views[index])
            plain += datagram.size
