"""`Stream`: frames of one session, each sent when it is due. What the pushing program calls.

`busy` is taken for a few assignments at a time, never over Python code: encrypting is done
before it. A slot carries the epoch under which its frame was encrypted, and is sent only if
that is the present one. The connection's thread bumps the epoch, changes the key, and calls
`renew`, all in one mutation: `renew` takes `busy`, so when it returns nothing of before is on
its way, and what waits goes out under the new key.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF, PyObject
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from .._atomic cimport vk_atomic_load, vk_release
from .._datapath cimport Datapath
from .._opus_toc cimport opus_duration_c
from .._rtp cimport DROP_BAD_FRAME, DROP_NONE
from .._session cimport RtpSession
from ._notifier cimport Notifier
from ._schedule cimport (
    FINISHED,
    KEY_EXHAUSTED,
    SILENCE_FRAMES,
    SOCKET_FAILED,
    UNDERRUN,
    Happening,
    Schedule,
    Slot,
    empty_slot,
    nap,
)
from ._wheel cimport Wheel

from ..codes import SILENCE_FRAME
from ..errors import LocalProtocolError
from .duplicate import duplicate
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
    # Receivers of DAVE refuse nonces that are far behind the newest (libdave: 1 000), and the
    # nonces of silence are as old as its encryption.
    REFRESH_SILENCE = 128
    # A datagram's largest payload (65 507) without header, tag and nonce.
    LARGEST_FRAME = 65_475


@cython.final
cdef class Stream(Schedule):
    """One session's way out. `Pacer.add` makes it; push from the session's thread only.

    Nothing is sent before the first `push`. From then on a frame is sent whenever the one
    before it has lasted. If there is none five frames of silence go out, as when it is
    paused, stopped or finished, and the next frame begins a new schedule.
    """

    def __cinit__(self, Wheel wheel not None, session, sock, *,
                  double depth, policy, double clock_offset, Notifier notifier, owner):
        cdef RtpSession rtp
        if isinstance(session, Datapath):
            self._datapath = session
            rtp = self._datapath._rtp
        else:
            rtp = session
        if not 0.0025 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth is between 0.0025 and {MAX_DEPTH:g} seconds, not {depth!r}")
        if rtp._cipher is None:
            raise LocalProtocolError("there is no key: wait for the session description")
        self._policy = LatePolicy(policy).value
        self._depth = <int> (depth * SAMPLE_RATE)
        self._clock_offset = clock_offset
        self._wheel = wheel
        self._session = rtp
        self._sender = rtp._sender
        self._epoch = rtp._sender.epoch
        self.session = session
        self.owner = owner
        self._sock = duplicate(sock)
        self.fd = self._sock.fileno()
        try:
            rtp.lend_c(self)
        except BaseException:
            self._sock.close()
            raise
        self._notifier = notifier
        if notifier is not None:
            notifier.watch(&self._note, self)

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
        self._enter()
        try:
            return self._push(opus)
        finally:
            self._leave()

    def push_many(self, frames):
        """Queue Opus packets until the stream is full; return how many it has taken.

        From an iterator it takes no more than that, so that the rest can follow later.
        """
        rest = iter(frames)
        return self._fill(lambda: next(rest, None), False)

    def fill(self, read):
        """Queue what ``read()`` returns until the stream is full; return how many it took.

        None ends it: `finish` is called.
        """
        return self._fill(read, True)

    cdef int _fill(self, object read, bint finish) except -1:
        cdef int taken = 0
        cdef bint held = self._held
        self.hold()
        try:
            while self._has_room():
                opus = read()
                if opus is None:
                    if finish:
                        self.finish()
                    break
                self.push(opus)
                taken += 1
        finally:
            if not (held or self._removed):
                self.release()
        return taken

    cdef bint _has_room(self) except -1:
        cdef bint room
        self._lock()
        room = self._queued < self._depth
        vk_release(&self.busy)
        return room

    cdef bint _push(self, object opus) except -1:
        cdef bytes plain = opus if type(opus) is bytes else bytes(memoryview(opus))
        cdef Slot slot
        cdef bint full
        cdef bint used
        self._check()
        self._lock()
        self._reap()
        full = self._queued >= self._depth
        used = self._silence_next > 0
        vk_release(&self.busy)
        if full:
            return False
        # The end of a talk spurt has to be ready before the spurt begins.
        if used or self._since_refresh >= REFRESH_SILENCE or self._silence[0].plain == NULL:
            self._refresh_silence()
        if self._encrypt(plain, &slot) == DROP_BAD_FRAME:
            self._session._drop_frame(DROP_BAD_FRAME, plain)
            return True
        self._lock()
        try:
            self._append(&slot)
        except BaseException:
            vk_release(&self.busy)
            empty_slot(&slot)
            raise
        self._since_refresh += 1
        self._told_low = False
        self._ending = False
        self._release_and_begin()
        if slot.epoch != vk_atomic_load(&self._epoch.value):
            self.renew()  # the key changed while this thread was encrypting
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
                empty_slot(&fresh[i])
            raise
        self._lock()
        for i in range(SILENCE_FRAMES):
            old[i] = self._silence[i]
            self._silence[i] = fresh[i]
        self._silence_next = 0
        self._since_refresh = 0
        vk_release(&self.busy)
        for i in range(SILENCE_FRAMES):
            empty_slot(&old[i])
        return 0

    # -- what it is told -----------------------------------------------------------

    def hold(self):
        """Begin nothing before `release`: what is pushed until then begins together.

        For a program that may lose the processor between the first frame and the next. What
        is on its way already goes on.
        """
        self._check()
        self._lock()
        self._held = True
        vk_release(&self.busy)

    def release(self):
        """Begin with what was pushed since `hold`. Idempotent."""
        self._check()
        self._lock()
        self._held = False
        self._release_and_begin()

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
        self._check()
        self._renew_silence()  # its frames may be used up, and each goes out once
        self._lock()
        self._paused = False
        self._release_and_begin()

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
            empty_slot(slot)
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
        self._check()
        if self._session._cipher is None:
            raise LocalProtocolError("there is no key: wait for the session description")
        fresh = None if sock is None else duplicate(sock)
        old = None
        self._renew_silence()
        self._lock()
        if fresh is not None:
            old = self._sock
            self._sock = fresh
            self.fd = fresh.fileno()
            self._failing = False
        self._frozen = False
        self._release_and_begin()
        if old is not None:
            old.close()

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
            empty_slot(&fresh)
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
            nap()
        self._sock.close()
        self.fd = -1
        self._empty_all()
        self._wheel.retire(self)
        self._session.take_back_c()
        if self._notifier is not None:
            self._notifier.forget(&self._note, self)

    cdef int _renew_silence(self) except -1:
        if self._silence[0].plain != NULL:
            self._enter()
            try:
                self._refresh_silence()
            finally:
                self._leave()
        return 0

    cdef int _enter(self) except -1:
        """End-to-end encryption is the connection's: one thread at a time."""
        if self._datapath is not None:
            self._datapath.enter()
        return 0

    cdef int _leave(self) except -1:
        if self._datapath is not None:
            self._datapath.leave()
        return 0

    def abandon(self):
        """In the child of a fork: the stream stays with the parent, and with it the nonces.

        So the session stays lent, and sends nothing here.
        """
        self._removed = True
        vk_release(&self.busy)
        self._sock.close()

    cdef int _check(self) except -1:
        if self._removed:
            raise LocalProtocolError("the stream was removed from its pacer")
        return 0

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
