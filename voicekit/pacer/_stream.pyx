"""`Stream`: frames of one session, each sent when it is due. The one place with the policy.

```
      push                       the pacer's thread, at the deadline
        |                          |
        v                          v
   | f9 | f8 | f7 | f6 | f5 |  -> seal (sequence, timestamp, nonce) -> send
        <-- unsent slots -->     f4, f3: sent, their objects wait for the GIL to be freed
```

What both threads touch is guarded by `busy`, a flag that orders memory as a lock does: taken
with acquire, given back with release. So the ring needs no argument of its own: whoever has
the flag sees all that the one before did, and is alone. The pacer's thread tries to take it
once and otherwise comes back half a millisecond later, hence never waits for Python code; a
thread with the GIL waits for the duration of one send at most, and lets go of the GIL. A slot
owns its two `bytes` objects. The pacer's thread reads their bytes, which never change, and
touches no reference count; it moves `head` beyond a slot, and the next push, discard or
removal, under the GIL, drops the references between `spent` and `head`. Counters, the
histogram and the epoch are relaxed atomics with one writer: each stands for itself.

A slot carries the epoch under which its frame was encrypted, and is sent only if that is the
present one. The connection's thread bumps the epoch, changes the key, and calls `renew`, all
in one mutation: `renew` takes `busy`, so when it returns nothing of before is on its way.
"""

import os
import socket
import sys
import time

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from .._atomic cimport vk_atomic_count, vk_atomic_load, vk_atomic_store, vk_release, vk_take
from .._crypto cimport CRYPTO_OK, OVERHEAD
from .._opus_toc cimport opus_duration_c
from .._rtp cimport DROP_BAD_FRAME, DROP_NONE, FIXED_HEADER
from .._sender cimport Borrower
from .._session cimport RtpSession
from ._lateness cimport Histogram
from ._notifier cimport Notifier
from ._threads cimport VK_THREADS, vk_nap
from ._wheel cimport NEVER, TICK, Wheel

from ..codes import SILENCE_FRAME
from ..errors import LocalProtocolError
from .events import Finished, KeyExhausted, SocketFailed, Underrun
from .policy import LatePolicy, StreamState
from .stats import SendStats

__all__ = ["MAX_DEPTH", "Stream"]

#: Seconds that may wait in a stream. More would make a key change costly, and nobody is
#: late by more.
MAX_DEPTH = 1.0

cdef enum:
    SAMPLE_RATE = 48000
    SAMPLES_PER_FRAME = 960
    # Opus durations are multiples of 2.5 ms (RFC 6716 §2.1.4).
    SAMPLES_PER_STEP = 120
    NS_PER_STEP = 2_500_000
    FIRST_SLOTS = 8
    # How far CATCH_UP goes: what receivers hold in their jitter buffers.
    MOST_TO_CATCH_UP = 60_000_000
    # Receivers of DAVE refuse nonces that are far behind the newest (libdave: 1 000), and the
    # nonces of silence are as old as its encryption.
    REFRESH_SILENCE = 128
    # A datagram's largest payload (65 507) without header, tag and nonce.
    LARGEST_FRAME = 65_475
    BUSY_NAP = 20_000

cdef enum:
    POLICY_REBASE = 0
    POLICY_SKIP = 1
    POLICY_CATCH_UP = 2

cdef enum:
    SOCKET_FAILED = 0
    KEY_EXHAUSTED = 1
    UNDERRUN = 2
    FINISHED = 3


cdef inline int64_t nanoseconds(int samples) noexcept nogil:
    return <int64_t> (samples // SAMPLES_PER_STEP) * NS_PER_STEP


@cython.final
cdef class Stream(Borrower):
    """One session's way out. `Pacer.add` makes it; push from the session's thread only.

    Nothing is sent before the first `push`. From then on a frame is sent whenever the one
    before it has lasted. If there is none five frames of silence go out, as when it is
    paused, stopped or finished, and the next frame begins a new schedule.
    """

    def __cinit__(self, Wheel wheel not None, session, sock, *,
                  double depth, policy, double clock_offset, Notifier notifier, owner):
        cdef RtpSession rtp = session if isinstance(session, RtpSession) else session._rtp
        if not 0.0025 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth is between 0.0025 and {MAX_DEPTH:g} seconds, not {depth!r}")
        if rtp._cipher is None:
            raise LocalProtocolError("there is no key: wait for the session description")
        self.entry.slot = self.entry.phase = -1
        self.entry.wanted = NEVER
        self.entry.owner = <void*> self
        self._policy = LatePolicy(policy).value
        self._depth = <int> (depth * SAMPLE_RATE)
        self._clock_offset = clock_offset
        self._lateness = Histogram()
        self._wheel = wheel
        self._session = rtp
        self._sender = rtp._sender
        self._epoch = rtp._sender.epoch
        self.session = session
        self.owner = owner
        self._sock = _duplicate(sock)
        self.fd = self._sock.fileno()
        self._slots = <Slot*> PyMem_Malloc(FIRST_SLOTS * sizeof(Slot))
        if self._slots == NULL:
            raise MemoryError
        memset(self._slots, 0, FIRST_SLOTS * sizeof(Slot))
        self._mask = FIRST_SLOTS - 1
        try:
            rtp.lend_c(self)
        except BaseException:
            self._sock.close()
            raise
        self._notifier = notifier
        if notifier is not None:
            notifier.watch(&self._note, self)

    def __dealloc__(self):
        cdef uint32_t number
        cdef int i
        if self._slots != NULL:
            for number in range(self._mask + 1):
                _empty(&self._slots[number])
            PyMem_Free(self._slots)
        for i in range(SILENCE_FRAMES):
            _empty(&self._silence[i])

    def __repr__(self):
        return f"<Stream {self.state.name} sent={self.sent} queued={self.queued}>"

    def __reduce__(self):
        raise TypeError("a copy of a stream would repeat its nonces")

    # -- frames ------------------------------------------------------------------

    def push(self, opus):
        """Queue one Opus packet; False: full, ``depth`` seconds wait already.

        It is encrypted end to end now and sealed when it is sent. What is no Opus packet is
        dropped and counted, as by `RtpSession.seal_audio`. After `finish` or `stop` it takes
        the end back: the stream goes on.
        """
        return self._push(opus)

    def push_many(self, frames):
        """Queue Opus packets until the stream is full; return how many it has taken."""
        cdef int taken = 0
        for opus in frames:
            if not self._push(opus):
                break
            taken += 1
        return taken

    def fill(self, read):
        """Queue what ``read()`` returns until the stream is full; return how many it took.

        None ends it: `finish` is called.
        """
        cdef int taken = 0
        while self.room:
            opus = read()
            if opus is None:
                self.finish()
                break
            self._push(opus)
            taken += 1
        return taken

    cdef bint _push(self, object opus) except -1:
        cdef bytes plain = opus if type(opus) is bytes else bytes(memoryview(opus))
        cdef Slot slot
        cdef bint full
        self._check()
        self._lock()
        self._reap()
        full = self._queued >= self._depth
        vk_release(&self.busy)
        if full:
            return False
        # The end of a talk spurt has to be ready before the spurt begins.
        if self._silence_next or self._since_refresh >= REFRESH_SILENCE or (
                self._silence[0].plain == NULL):
            self._refresh_silence()
        if self._encrypt(plain, &slot) == DROP_BAD_FRAME:
            self._session._drop_frame(DROP_BAD_FRAME, plain)
            return True
        self._append(&slot)
        return True

    cdef int _encrypt(self, bytes plain, Slot* slot) except -1:
        """Fill a slot that will own its objects; a DROP_* of _rtp.pxd."""
        cdef int reason = DROP_NONE
        cdef int duration = 0
        cdef bytes frame
        slot.epoch = vk_atomic_load(&self._epoch.value)
        frame = self._sender.admit(plain, &duration, &reason)
        if reason == DROP_BAD_FRAME or (frame is not None and len(frame) > LARGEST_FRAME):
            return DROP_BAD_FRAME
        if frame is None:
            duration = opus_duration_c(
                <const uint8_t*> PyBytes_AS_STRING(plain), PyBytes_GET_SIZE(plain))
        slot.duration = duration
        slot.is_clear = self._sender.is_clear
        slot.size = 0 if frame is None else <uint32_t> PyBytes_GET_SIZE(frame)
        Py_INCREF(plain)
        slot.plain = <PyObject*> plain
        slot.frame = NULL
        slot.data = NULL
        if frame is not None:
            Py_INCREF(frame)
            slot.frame = <PyObject*> frame
            slot.data = <const uint8_t*> PyBytes_AS_STRING(frame)
        return DROP_NONE

    cdef int _append(self, Slot* slot) except -1:
        cdef bint begins
        self._lock()
        try:
            if self._tail - self._spent > self._mask:
                self._grow()
        except BaseException:
            vk_release(&self.busy)
            _empty(slot)
            raise
        self._slots[self._tail & self._mask] = slot[0]
        self._tail += 1
        self._queued += slot.duration
        self._since_refresh += 1
        self._told_low = False
        self._ending = False
        begins = self._begins()
        vk_release(&self.busy)
        if begins:
            self._wheel.begin(&self.entry, &self._due, &self._wake)
        if slot.epoch != vk_atomic_load(&self._epoch.value):
            self.renew()  # the key changed while this thread was encrypting
        return 0

    cdef int _grow(self) except -1:
        cdef uint32_t size = 2 * (self._mask + 1)
        cdef Slot* slots = <Slot*> PyMem_Malloc(size * sizeof(Slot))
        cdef uint32_t number
        if slots == NULL:
            raise MemoryError
        memset(slots, 0, size * sizeof(Slot))
        for number in range(self._tail - self._spent):
            number += self._spent
            slots[number & (size - 1)] = self._slots[number & self._mask]
        PyMem_Free(self._slots)
        self._slots = slots
        self._mask = size - 1
        return 0

    cdef void _reap(self) noexcept:
        """Drop the objects of what was sent."""
        while self._spent != self._head:
            _empty(&self._slots[self._spent & self._mask])
            self._spent += 1

    cdef int _refresh_silence(self) except -1:
        cdef Slot[SILENCE_FRAMES] fresh
        cdef Slot[SILENCE_FRAMES] old
        cdef int i
        memset(fresh, 0, sizeof(fresh))
        try:
            for i in range(SILENCE_FRAMES):
                self._encrypt(SILENCE_FRAME, &fresh[i])
        except BaseException:
            for i in range(SILENCE_FRAMES):
                _empty(&fresh[i])
            raise
        self._lock()
        for i in range(SILENCE_FRAMES):
            old[i] = self._silence[i]
            self._silence[i] = fresh[i]
        self._silence_next = 0
        self._since_refresh = 0
        vk_release(&self.busy)
        for i in range(SILENCE_FRAMES):
            _empty(&old[i])
        return 0

    # -- what it is told -----------------------------------------------------------

    def finish(self):
        """End with the frames that wait, then silence; `Finished` follows."""
        self._check()
        self._lock()
        self._ending = True
        self._conclude_if_idle()
        vk_release(&self.busy)

    def pause(self):
        """Keep what is not sent, from the next frame on; silence goes out. Idempotent."""
        self._check()
        self._lock()
        self._paused = True
        vk_release(&self.busy)

    def resume(self):
        """Go on with the frame that was next. Idempotent."""
        cdef bint begins
        self._check()
        if self._silence_next:
            self._refresh_silence()
        self._lock()
        self._paused = False
        begins = self._begins()
        vk_release(&self.busy)
        if begins:
            self._wheel.begin(&self.entry, &self._due, &self._wake)

    def discard(self, Py_ssize_t keep=0):
        """Take back what is not sent, but for the next ``keep`` frames; return it in order.

        What comes back are the Opus packets as they were pushed, so that a source can be
        wound back by as many. To change the volume, or to swap: ``discard(keep=1)`` and push
        anew what it returns; it is heard within two frames, and nothing runs dry.
        """
        self._check()
        if keep < 0:
            raise ValueError("keep is 0 or more")
        return self._discard(keep)

    def stop(self):
        """`discard`, then end: silence follows within a frame, then `Finished`."""
        self._check()
        discarded = self._discard(0)
        self._lock()
        self._paused = False
        self._ending = True
        self._conclude_if_idle()
        vk_release(&self.busy)
        return discarded

    cdef list _discard(self, Py_ssize_t keep):
        cdef uint32_t number
        cdef Slot* slot
        taken = []
        self._lock()
        self._reap()
        number = self._head
        while number != self._tail and keep > 0:
            number += 1
            keep -= 1
        while self._tail != number:
            self._tail -= 1
            slot = &self._slots[self._tail & self._mask]
            taken.append(<object> slot.plain)
            self._queued -= slot.duration
            _empty(slot)
        vk_release(&self.busy)
        taken.reverse()
        return taken

    cdef int freeze(self) except -1:
        """Send nothing until `rebind`: the session is about to change. What waits stays."""
        self._lock()
        self._frozen = True
        self._silence_owed = 0
        self._starved = False
        self._conclude_if_idle()
        vk_release(&self.busy)
        return 0

    def rebind(self, sock=None):
        """Go on after the session has a new key; with ``sock``, over another socket.

        The frame that was next is next. Raises `LocalProtocolError` without a key.
        """
        cdef bint begins
        self._check()
        if self._session._cipher is None:
            raise LocalProtocolError("there is no key: wait for the session description")
        fresh = None if sock is None else _duplicate(sock)
        old = None
        if self._silence[0].plain != NULL:
            self._refresh_silence()
        self._lock()
        if fresh is not None:
            old = self._sock
            self._sock = fresh
            self.fd = fresh.fileno()
            self._failing = False
        self._frozen = False
        begins = self._begins()
        vk_release(&self.busy)
        if old is not None:
            old.close()
        if begins:
            self._wheel.begin(&self.entry, &self._due, &self._wake)

    cdef int renew(self) except -1:
        """Encrypt anew what is not sent: what goes out was encrypted otherwise before."""
        cdef list waiting = []
        cdef uint32_t number
        cdef Slot* slot
        cdef Slot fresh
        if self._removed:
            return 0
        self._lock()
        for number in range(self._tail - self._head):
            slot = &self._slots[(self._head + number) & self._mask]
            if slot.epoch != vk_atomic_load(&self._epoch.value):
                waiting.append((self._head + number, <object> slot.plain))
        vk_release(&self.busy)
        if self._silence[0].plain != NULL:
            self._refresh_silence()
        # Not under `busy`: it is Python code. Nothing of the old epoch is sent meanwhile.
        for number, plain in waiting:
            self._encrypt(plain, &fresh)
            self._lock()
            slot = &self._slots[number & self._mask]
            if number - self._head < self._tail - self._head and slot.plain == fresh.plain:
                slot[0], fresh = fresh, slot[0]
            vk_release(&self.busy)
            _empty(&fresh)
        return 0

    def remove(self):
        """Let go of the session and the socket. Nothing is sent any more. Idempotent."""
        if self._removed:
            return
        self._lock()
        self._removed = True
        self._active = False
        vk_release(&self.busy)
        while not self._wheel.withdraw(&self.entry):
            _nap()
        self._sock.close()
        self.fd = -1
        self._spent = self._head
        for number in range(self._mask + 1):
            _empty(&self._slots[number])
        self._head = self._tail = self._spent = 0
        self._queued = 0
        self._wheel.retire(self)
        self._session.take_back_c()
        if self._notifier is not None:
            self._notifier.forget(&self._note, self)

    def abandon(self):
        """In the child of a fork: the stream stays with the parent, and with it the nonces.

        So the session stays lent, and sends nothing here.
        """
        self._removed = True
        vk_release(&self.busy)
        self._sock.close()

    cdef int _lock(self) except -1:
        while not vk_take(&self.busy):
            _nap()
        return 0

    cdef int _check(self) except -1:
        if self._removed:
            raise LocalProtocolError("the stream was removed from its pacer")
        return 0

    cdef bint _begins(self) noexcept nogil:
        """Whether a schedule has to begin now: `Wheel.begin`, once `busy` is given back."""
        if self._active or self._paused or self._frozen or self._head == self._tail:
            return False
        self._active = True
        return True

    # -- the pacer's thread ----------------------------------------------------------

    cdef int64_t prepare(self, int64_t now, uint8_t* out, Py_ssize_t* size) noexcept nogil:
        cdef Slot* slot
        size[0] = 0
        if self._frozen or self._removed:
            self._active = False
            return NEVER
        if now < self._wake:
            return self._wake
        self._deadline = self._due
        if self._head != self._tail and not self._paused:
            self._mind_lateness(now)
        if self._head == self._tail or self._paused:
            return self._prepare_silence(now, out, size)
        slot = &self._slots[self._head & self._mask]
        if slot.epoch != vk_atomic_load(&self._epoch.value):
            return now + TICK
        if slot.frame == NULL:
            self._sender.skip(slot.duration)
            vk_atomic_count(&self._withheld, 1)
        elif self._seal(slot, out, size):
            vk_atomic_count(&self._frames, 1)
        else:
            return NEVER
        self._starved = False
        self._silence_owed = SILENCE_FRAMES
        self._leave_slot(slot)
        return self._next(now, slot.duration)

    cdef void _mind_lateness(self, int64_t now) noexcept nogil:
        """The late policy, for frames that are late by their duration or more."""
        cdef Slot* slot = &self._slots[self._head & self._mask]
        cdef int64_t late = now - self._due
        if late < nanoseconds(slot.duration):
            return
        if self._policy == POLICY_SKIP:
            while self._head != self._tail:
                slot = &self._slots[self._head & self._mask]
                if now - self._due < nanoseconds(slot.duration):
                    break
                self._sender.skip(slot.duration)
                self._due += nanoseconds(slot.duration)
                self._leave_slot(slot)
                vk_atomic_count(&self._skipped, 1)
            self._deadline = self._due
        elif self._policy == POLICY_REBASE:
            self._due = now
            vk_atomic_count(&self._rebases, 1)
        elif late > MOST_TO_CATCH_UP:
            self._due = now - MOST_TO_CATCH_UP
            vk_atomic_count(&self._rebases, 1)

    cdef int64_t _prepare_silence(self, int64_t now, uint8_t* out,
                                  Py_ssize_t* size) noexcept nogil:
        cdef Slot* slot
        if self._silence_owed == 0 or self._silence_next == SILENCE_FRAMES:
            return self._fall_silent()
        slot = &self._silence[self._silence_next]
        if slot.epoch != vk_atomic_load(&self._epoch.value):
            return now + TICK
        if self._silence_owed == SILENCE_FRAMES and not self._paused and not self._ending:
            self._starved = True
            vk_atomic_count(&self._underruns, 1)
            self._happen(UNDERRUN, 0)
        if now - self._due >= nanoseconds(slot.duration):
            self._due = now
        if slot.frame != NULL:
            if not self._seal(slot, out, size):
                return NEVER
            vk_atomic_count(&self._silences, 1)
        self._silence_next += 1
        self._silence_owed -= 1
        if self._silence_owed == 0:
            if size[0] == 0:
                return self._fall_silent()
            self._active = False  # `done` concludes
            return NEVER
        return self._next(now, slot.duration)

    cdef bint _seal(self, Slot* slot, uint8_t* out, Py_ssize_t* size) noexcept nogil:
        """Seal one frame; False: the key is used up, and the stream waits for another."""
        cdef bint spurt = self._sender.follow_clock(self._due / 1e9 + self._clock_offset)
        if self._sender.seal(
            self._session._cipher, out, slot.data, slot.size, slot.duration,
            spurt and self._session._mark_spurts, slot.is_clear,
        ) != CRYPTO_OK:
            self._frozen = True
            self._active = False
            self._happen(KEY_EXHAUSTED, 0)
            return False
        size[0] = FIXED_HEADER + slot.size + OVERHEAD
        if vk_atomic_load(&self._first_deadline) == 0:
            vk_atomic_store(&self._first_deadline, self._deadline)
        return True

    cdef void _leave_slot(self, Slot* slot) noexcept nogil:
        self._head += 1
        self._queued -= slot.duration
        vk_atomic_count(&self._position, 1)
        if 2 * self._queued < self._depth and not self._told_low and not self._ending:
            self._told_low = True
            if self._notifier is not None:
                self._notifier.notify(&self._note)

    cdef int64_t _next(self, int64_t now, int duration) noexcept nogil:
        """Advance the schedule: by the frame, but never at more than twice the speed."""
        self._due += nanoseconds(duration)
        self._wake = max(self._due, now + nanoseconds(duration) // 2)
        return self._wake

    cdef void done(self, int64_t now, int error) noexcept nogil:
        self._lateness.add(now - self._deadline)
        if error:
            vk_atomic_count(&self._unsent, 1)
            if not self._failing:
                self._failing = True
                self._happen(SOCKET_FAILED, error)
        else:
            self._failing = False
        if not self._active:
            self._fall_silent()

    cdef int64_t _fall_silent(self) noexcept nogil:
        """Nothing is left to say, not even silence."""
        self._active = False
        self._starved = False
        self._silence_owed = 0
        self._conclude_if_idle()
        return NEVER

    cdef void _conclude_if_idle(self) noexcept nogil:
        """`Finished`, if that is what was waited for."""
        if self._ending and self._silence_owed == 0 and self._head == self._tail:
            self._ending = False
            self._happen(FINISHED, 0)

    # -- events --------------------------------------------------------------------

    cdef void _happen(self, int kind, int error) noexcept nogil:
        """Queue an event. One of its kind that waits already is brought up to date."""
        cdef int i
        for i in range(self._happenings):
            if self._happened[i].kind == kind:
                break
        else:
            i = self._happenings
            self._happenings += 1
            self._happened[i].kind = kind
            self._happened[i].error = error
        self._happened[i].position = vk_atomic_load(&self._position)
        if self._notifier is not None:
            self._notifier.notify(&self._note)

    def poll(self):
        """Return the next event of `voicekit.pacer.events`; None: nothing more for now."""
        cdef Happening first
        cdef int i
        self._lock()
        if self._happenings == 0:
            vk_release(&self.busy)
            return None
        first = self._happened[0]
        self._happenings -= 1
        for i in range(self._happenings):
            self._happened[i] = self._happened[i + 1]
        vk_release(&self.busy)
        if first.kind == SOCKET_FAILED:
            return SocketFailed(first.error, vk_atomic_load(&self._unsent))
        return _EVENTS[first.kind](first.position)

    # -- what is known of it: any thread ---------------------------------------------

    @property
    def state(self):
        """What it is doing: a `StreamState`."""
        self._lock()
        try:
            if self._removed:
                return StreamState.REMOVED
            if self._frozen:
                return StreamState.FROZEN
            if self._paused:
                return StreamState.PAUSED
            if self._ending:
                return StreamState.FINISHING
            if self._starved:
                return StreamState.STARVED
            return StreamState.PLAYING if self._active else StreamState.IDLE
        finally:
            vk_release(&self.busy)

    @property
    def is_removed(self):
        """Whether `remove` was called."""
        return self._removed

    @property
    def room(self):
        """How many frames of 20 ms it takes now."""
        cdef int left
        self._lock()
        left = self._depth - self._queued
        vk_release(&self.busy)
        return max(0, (left + SAMPLES_PER_FRAME - 1) // SAMPLES_PER_FRAME)

    @property
    def queued(self):
        """Frames that wait."""
        cdef uint32_t waiting
        self._lock()
        waiting = self._tail - self._head
        vk_release(&self.busy)
        return waiting

    @property
    def queued_seconds(self):
        """How long they last."""
        cdef int samples
        self._lock()
        samples = self._queued
        vk_release(&self.busy)
        return samples / <double> SAMPLE_RATE

    @property
    def sent(self):
        """Frames sent, without silence."""
        return vk_atomic_load(&self._frames)

    @property
    def position(self):
        """Frames that are past: sent, skipped or withheld. The next one has this number."""
        return vk_atomic_load(&self._position)

    @property
    def first_deadline(self):
        """When the first frame was due, in nanoseconds of `time.monotonic_ns`; or None."""
        return vk_atomic_load(&self._first_deadline) or None

    def stats(self):
        """Return what it has counted, a `SendStats`. Any thread; also after `remove`."""
        return SendStats(
            frames=vk_atomic_load(&self._frames),
            silence=vk_atomic_load(&self._silences),
            unsent=vk_atomic_load(&self._unsent),
            underruns=vk_atomic_load(&self._underruns),
            rebases=vk_atomic_load(&self._rebases),
            skipped=vk_atomic_load(&self._skipped),
            withheld=vk_atomic_load(&self._withheld),
            lateness=self._lateness.read(),
        )


_EVENTS = {KEY_EXHAUSTED: KeyExhausted, UNDERRUN: Underrun, FINISHED: Finished}


cdef void _empty(Slot* slot) noexcept:
    Py_XDECREF(slot.plain)
    Py_XDECREF(slot.frame)
    slot.plain = NULL
    slot.frame = NULL


cdef int _nap() except -1:
    """Let the pacer's thread go on: it holds what we want for the length of one send."""
    if VK_THREADS:
        with nogil:
            vk_nap(BUSY_NAP)
    else:
        time.sleep(BUSY_NAP / 1e9)
    return 0


def _duplicate(sock):
    """Return a socket of our own for the same connection: the caller may close theirs.

    Its blocking mode is the caller's, and left alone: sends say themselves not to wait.
    What is no socket, for a loop in Python, makes its own copy.
    """
    if not isinstance(sock, (int, socket.socket)):
        return sock.dup()
    if sys.platform == "win32":
        ours = (sock if isinstance(sock, socket.socket) else socket.socket(fileno=sock)).dup()
        ours.setblocking(False)
        return ours
    return socket.socket(fileno=os.dup(sock if isinstance(sock, int) else sock.fileno()))
