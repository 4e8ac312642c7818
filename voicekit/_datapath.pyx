"""What happens per packet in a `VoiceConnection`: its base class, `Datapath`.

```
 out  seal_audio      clear to send? -> RtpSession.seal_audio -> a datagram
        no: may_send  the connection announces Speaking first, or says no
 in   open_datagram   of the usable socket? -> RtpSession.receive -> a frame
        no: receive_early   the connection looks for the reply to IP discovery
```

Everything else is the connection's. It says after each of its mutations which of the short
ways are open now (`_open_ways`), so that a packet asks one flag and not every part.
"""


cimport cython
from cpython.bytes cimport PyBytes_GET_SIZE
from libc.math cimport INFINITY, isfinite

from ._atomic cimport vk_release, vk_take
from ._crypto cimport OVERHEAD
from ._datagrams cimport DatagramBatch
from ._frame cimport AudioFrame
from ._rtp cimport DROP_NOT_READY, DROP_QUEUE_OVERFLOW, FIXED_HEADER
from ._session cimport RtpSession

from .errors import LocalProtocolError
from .events import PacketDropped
from .outputs import SendDatagram

__all__ = ["Datapath", "Mutation"]

cdef enum:
    # What end-to-end encryption sends in place of a frame that it withholds, as a datagram.
    SILENCE_DATAGRAM = FIXED_HEADER + 3 + OVERHEAD


cdef class Datapath:
    """The half of a connection that packets go through.

    ``session`` seals and opens, ``max_pending`` bounds what waits for `poll`.
    """

    def __cinit__(self):
        # A list, as all queues of a connection: nearly always empty, where a deque takes 760
        # bytes. Taking from the front of a few thousand costs less than a microsecond.
        self._pending = []
        self._audio_at = -INFINITY
        self._due = INFINITY

    def __init__(self, RtpSession session not None, Py_ssize_t max_pending):
        self._rtp = session
        self._max_pending = max_pending

    # -- one caller at a time ------------------------------------------------------

    cdef int enter(self) except -1:
        if not vk_take(&self._busy):
            raise LocalProtocolError(
                "the connection is being called already: from another thread, or from inside a"
                " call")
        return 0

    cdef void leave(self) noexcept:
        vk_release(&self._busy)

    def _open_ways(self, bint clear_to_send, long long usable_link, due):
        """Say what the next packets may take for granted: none of them changes it."""
        self._clear_to_send = clear_to_send
        self._usable_link = usable_link
        self._due = INFINITY if due is None else due

    def _expire_streams(self, double now):
        """Do what is due where only received streams are: five times a second while one lasts.

        Return how late that is, or a negative number where there is more to do.
        """
        cdef double late
        self.enter()
        try:
            late = now - self._rtp._receiver.next_check
            if now >= self._due or late < 0.0:
                return -1.0
            self._rtp._receiver.handle_timeout(now)
            return -1.0 if self._rtp._outbox.size else late
        finally:
            self.leave()

    # -- out -------------------------------------------------------------------------

    def send_audio(self, opus, double now):
        """Send one Opus packet; Speaking goes first where it has to.

        Return False, and count a drop, when there is no session to send it in.
        """
        cdef bytes datagram = None
        cdef bint was_clear
        self.enter()
        try:
            was_clear = self._clear_to_send
            if self._may_seal(opus, now):
                datagram = self._seal(opus, now)
                if datagram is not None:
                    self._put(SendDatagram(self._usable_link, datagram))
            self._report_sealing(was_clear, datagram, now)
            return datagram is not None
        finally:
            self.leave()

    def seal_audio(self, opus, double now):
        """`send_audio` that returns the datagram instead of queueing it; None: dropped.

        Drain `poll` before you send the first one: the Speaking message is there.
        """
        cdef bytes datagram = None
        cdef bint was_clear
        self.enter()
        try:
            was_clear = self._clear_to_send
            if was_clear or self._may_seal(opus, now):
                datagram = self._seal(opus, now)
            self._report_sealing(was_clear, datagram, now)
            return datagram
        finally:
            self.leave()

    def seal_many(self, frames, double now):
        """`seal_audio` for several frames in a row: a list of datagrams.

        What is dropped is missing, and counted. Other threads run while a batch of a
        millisecond or more is sealed; calls of theirs raise `LocalProtocolError`.
        """
        cdef tuple given = tuple(frames)
        cdef list datagrams = []
        cdef bint silence = False
        cdef bint was_clear
        self.enter()
        try:
            was_clear = self._clear_to_send
            if was_clear or self._may_send(now):
                datagrams = self._rtp.seal_many_c(given, now)
                self._audio_at = now
            else:
                for opus in given:
                    self._rtp.drop_c(DROP_NOT_READY, len(opus))
            for datagram in datagrams:
                silence = silence or PyBytes_GET_SIZE(datagram) == SILENCE_DATAGRAM
            if silence or not was_clear or len(datagrams) < len(given):
                self._settle(now)
            return datagrams
        finally:
            self.leave()

    cdef bint _may_seal(self, object opus, double now) except -1:
        if self._clear_to_send or self._may_send(now):
            return True
        self._rtp.drop_c(DROP_NOT_READY, len(opus))
        return False

    cdef bytes _seal(self, object opus, double now):
        cdef bytes datagram = self._rtp.seal_audio_c(opus, now)
        self._audio_at = now
        return datagram

    cdef int _report_sealing(self, bint was_clear, bytes datagram, double now) except -1:
        """Let the parts speak, if sealing gave any of them something to say."""
        if datagram is None or not was_clear or PyBytes_GET_SIZE(datagram) == SILENCE_DATAGRAM:
            self._settle(now)
        return 0

    # -- in --------------------------------------------------------------------------

    def receive_datagram(self, long long link, data, double now):
        """Take one datagram. Whatever it holds, it raises nothing and ends nothing."""
        cdef AudioFrame frame
        self.enter()
        try:
            if link == self._usable_link:
                frame = self._rtp.receive_c(data, now)
            else:
                frame = self._receive_early(link, data, now)
            if frame is not None:
                self._put(frame)
            self._report_opening()
        finally:
            self.leave()

    def open_datagram(self, data, double now):
        """`receive_datagram` for the current socket, handing back the frame at once.

        Frames released later (from the hold ring) and events come from `poll`.
        """
        cdef AudioFrame frame
        self.enter()
        try:
            if self._usable_link:
                frame = self._rtp.receive_c(data, now)
            else:
                frame = self._receive_early(None, data, now)
            self._report_opening()
            return frame
        finally:
            self.leave()

    def open_many(self, datagrams, double now):
        """`open_datagram` for several datagrams, in order: a list of frames.

        What is no frame, or not yet, is missing. Other threads run while a batch of a
        millisecond or more is opened; calls of theirs raise `LocalProtocolError`.
        """
        cdef list frames
        self.enter()
        try:
            if self._usable_link:
                frames = self._rtp.receive_many_c(datagrams, now)
            else:
                frames = self._receive_all_early(None, datagrams, now)
            self._report_opening()
            return frames
        finally:
            self.leave()

    def receive_batch(self, long long link, DatagramBatch batch not None, double now):
        """Take what a socket had, and hand back the frames; events come from `poll`."""
        cdef list frames
        self.enter()
        try:
            if link == self._usable_link:
                frames = self._rtp.receive_many_c(batch, now)
            else:
                frames = self._receive_all_early(link, batch, now)
            self._report_opening()
            return frames
        finally:
            self.leave()

    def _receive_all_early(self, link, datagrams, double now):
        frames = [self._receive_early(link, data, now) for data in datagrams]
        return [frame for frame in frames if frame is not None]

    cdef int _report_opening(self) except -1:
        """Move what the session has to say to the queue: no other part hears of packets."""
        while self._rtp._outbox.size:
            self._put(self._rtp._outbox.take())
        return 0

    # -- the loop ----------------------------------------------------------------------

    def poll(self):
        """Return the next output or event; None when there is nothing more for now."""
        return self._pending.pop(0) if self._pending else None

    def next_timeout(self):
        """Return when `handle_timeout` is due, on the caller's clock; None: never."""
        cdef double due = min(self._due, self._rtp._receiver.next_check)
        return due if isfinite(due) else None

    def _queue(self, item):
        self._put(item)

    cdef int _put(self, object item) except -1:
        if len(self._pending) >= self._max_pending:
            self._make_room()
        self._pending.append(item)
        return 0

    def _make_room(self):
        """A host that does not poll loses audio, oldest first, and nothing else."""
        for index, waiting in enumerate(self._pending):
            if type(waiting) is AudioFrame or type(waiting) is PacketDropped:
                del self._pending[index]
                self._rtp.count_drop_c(DROP_QUEUE_OVERFLOW)
                break


@cython.final
@cython.auto_pickle(False)
cdef class Mutation:
    """``with mutation(now):`` one caller at a time; afterwards the parts may speak.

    ``with mutation(None):`` is for what changes nothing, but bears no other call meanwhile.
    """

    def __init__(self, Datapath path not None):
        self._path = path

    def __call__(self, now):
        self._path.enter()
        self._now = now
        return self

    def __enter__(self):
        return None

    def __exit__(self, kind, error, traceback):
        try:
            if error is not None:
                self._path._survey()
            elif self._now is not None:
                self._path._settle(self._now)
        finally:
            self._path.leave()
