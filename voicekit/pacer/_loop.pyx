"""All streams of one pacer, and one turn of it: what is due is sealed and sent."""

import socket

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport int64_t, uint8_t

from .._atomic cimport vk_atomic_count, vk_atomic_load, vk_release, vk_take
from ._lateness cimport Histogram
from ._stream cimport Stream
from ._threads cimport vk_fetch, vk_lock_init, vk_send
from ._wheel cimport NEVER, TICK, Entry, Wheel

from .stats import PacerStats, SendStats

__all__ = ["Loop", "PythonLoop"]

_COUNTS = tuple([name for name in SendStats.__struct_fields__ if name != "lateness"])

cdef enum:
    GROUP = 8
    # Bytes of a stream that each packet touches; see _schedule.pxd.
    FETCHED_STREAM = 448


cdef class Loop(Wheel):
    """Streams on a wheel. A thread of a subclass takes turns; a test may do so instead."""

    def __cinit__(self):
        self.streams = set()
        self._past = dict.fromkeys(_COUNTS, 0)
        self._past_lateness = Histogram()
        self._out = <uint8_t*> PyMem_RawMalloc(LARGEST_DATAGRAM)
        if self._out == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_RawFree(self._out)

    def __reduce__(self):
        raise TypeError("a pacer is of one process")

    def start(self):
        """Start the thread, if there is one and it does not run."""

    def stop(self):
        """End the thread and wait for that."""

    def forked(self):
        """In the child of a fork: no thread is here, and whatever was locked is not."""
        vk_lock_init(&self._lock)
        for stream in self.streams:
            stream.abandon()
        self.streams.clear()

    def retire(self, Stream stream not None):
        """Forget a stream that was removed, but not what it has counted."""
        self.streams.discard(stream)
        _add(self._past, stream.stats())
        self._past_lateness.merge(stream._lateness)

    def stats(self):
        """Return a `PacerStats`: the sums of all streams."""
        cdef Stream stream
        lateness = Histogram()
        lateness.merge(self._past_lateness)
        counts = dict(self._past)
        streams = list(self.streams)
        for stream in streams:
            _add(counts, stream.stats())
            lateness.merge(stream._lateness)
        return PacerStats(
            streams=len(streams), turns=self.turns, cpu_seconds=self.cpu_seconds,
            lateness=lateness.read(), **counts)

    def set_clock(self, int64_t now):
        """Stand still at ``now`` nanoseconds: from here on the clock is told, as in tests."""
        self._virtual_now = now
        self._cursor = now // TICK

    def take_turn(self, int64_t now):
        """Send what is due at ``now``; return when the next is due, None: not known.

        With a clock that is told, ``now`` becomes its time.
        """
        if self._virtual_now >= 0:
            self._virtual_now = now
        # The GIL is kept: with it, nothing here takes longer than a packet.
        due = self.turn(now)
        return None if due == NEVER else due

    @property
    def turns(self):
        """How often something was due."""
        return vk_atomic_load(&self._turns)

    @property
    def cpu_seconds(self):
        """Processor time of the thread; 0.0 where that is unknown."""
        return 0.0

    cdef int64_t turn(self, int64_t now) noexcept nogil:
        cdef Entry* first = self.collect(now)
        cdef Entry* entry = first
        while entry != NULL:
            entry = self._serve_group(entry, now)
        if first != NULL:
            vk_atomic_count(&self._turns, 1)
        return self.put_back(first)

    cdef Entry* _serve_group(self, Entry* entry, int64_t now) noexcept nogil:
        """Serve the next few entries; return the one after them.

        With thousands of streams nothing of one is in the cache when its time comes, and the
        processor would wait for memory a dozen times for each. So what several will need is
        asked for before the first of them is sent.
        """
        cdef Entry* entries[GROUP]
        cdef bint[GROUP] ours
        cdef int count = 0
        cdef int i
        while entry != NULL and count < GROUP:
            entries[count] = entry
            vk_fetch(entry.owner, FETCHED_STREAM)
            entry = entry.next
            count += 1
        for i in range(count):
            ours[i] = vk_take(&(<Stream> entries[i].owner).busy)
            if ours[i]:
                (<Stream> entries[i].owner).fetch()
        for i in range(count):
            if ours[i]:
                (<Stream> entries[i].owner).fetch_more()
        for i in range(count):
            if ours[i]:
                entries[i].due = self._serve(<Stream> entries[i].owner, now)
                vk_release(&(<Stream> entries[i].owner).busy)
            else:
                entries[i].due = now + TICK
        return entry

    cdef int64_t _serve(self, Stream stream, int64_t now) noexcept nogil:
        """Prepare and send one packet. `busy` is ours."""
        cdef Py_ssize_t size
        cdef int64_t again = stream.prepare(now, self._out, &size)
        cdef int error
        if size:
            error = self.transmit(stream, self._out, size)
            stream.done(self.now(), error)
        return again

    cdef int transmit(self, Stream stream, const uint8_t* data, Py_ssize_t size) noexcept nogil:
        return vk_send(stream.fd, data, size)


cdef int _add(dict counts, object stats) except -1:
    for name in _COUNTS:
        counts[name] += getattr(stats, name)
    return 0


#: Sends do not wait, whatever the blocking mode of the socket, where that can be asked for.
_FLAGS = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_NOSIGNAL", 0)


cdef class PythonLoop(Loop):
    """The loop for a Python thread: sockets of Python, and an ``alarm`` that ends its sleep."""

    def follow(self, clock):
        """Take the time from ``clock()``, in nanoseconds; before the first stream begins."""
        self.clock = clock
        self._cursor = clock() // TICK

    cdef int64_t now(self) noexcept nogil:
        with gil:
            return Wheel.now(self) if self.clock is None else self.clock()

    def sleep_until(self, due):
        """Note how long the thread will sleep: a stream that begins sooner rings the alarm."""
        self._sleeping_until = NEVER if due is None else due

    cdef void wake(self) noexcept nogil:
        with gil:
            if self.alarm is not None:
                self.alarm()

    cdef int transmit(self, Stream stream, const uint8_t* data, Py_ssize_t size) noexcept nogil:
        with gil:
            return _send(stream._sock, PyBytes_FromStringAndSize(<const char*> data, size))


cdef int _send(object sock, bytes datagram) noexcept:
    error = 0
    for _ in range(2):
        try:
            sock.send(datagram, _FLAGS)
            return 0
        except (ConnectionError, BlockingIOError) as failed:
            # The first may tell of an earlier datagram: the same again is the answer to this.
            error = failed.errno or -1
        except OSError as failed:
            return failed.errno or -1
        except Exception:
            return -1
    return error
