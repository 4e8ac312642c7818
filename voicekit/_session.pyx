"""`RtpSession`: framing, transport encryption, streams and statistics of one call's UDP half.

The path of a packet, one line per step:

```
 out  seal_audio   Opus -> DAVE -> sequence, media clock -> seal -> datagram
 in   receive      datagram -> receive order (_rtp) -> own SSRC? -> RTCP: event
                     -> stream by SSRC, duplicates (_receiver) -> user, or hold ring
                     -> DAVE -> AudioFrame
```
"""

from hashlib import blake2b
from random import SystemRandom

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int64_t, uint8_t

from ._atomic cimport vk_atomic_load
from ._batches cimport OpenBatch, SealBatch
from ._crypto cimport CRYPTO_OK, OVERHEAD, TransportCipher, raise_crypto
from ._datagrams cimport Datagram, DatagramBatch
from ._frame cimport AudioFrame
from ._outbox cimport NO_SSRC, Outbox
from ._receiver cimport OWNER_KNOWN, Receiver, Stream
from ._rtcp cimport open_rtcp_c, parse_compound_c
from ._rtp cimport (
    DROP_BAD_FRAME,
    DROP_BAD_RTCP,
    DROP_NONCE_EXHAUSTED,
    DROP_NONE,
    DROP_NOT_READY,
    DROP_OWN_SSRC,
    FIXED_HEADER,
    IS_RTCP,
    PacketView,
    open_packet_c,
)
from ._sender cimport Borrower, Sender

from ._rtcp import build_compound, seal_rtcp
from ._rtp import DROP_REASONS
from .config import Config
from .dave import Passthrough
from .errors import LocalProtocolError
from .events import RtcpReceived
from .rtcp import ReceiverReport, SdesChunk, SenderReport, SourceDescription

__all__ = ["RtpSession"]

# Has no state but, being a `random.Random`, 2.5 KB of it: one for all sessions.
_RANDOM = SystemRandom()

cdef enum:
    # Larger than any MTU's datagram: what is bigger takes scratch from the heap.
    STACK_SCRATCH = 2048

# RFC 3550 §6.5.1: the item that every compound packet carries.
CNAME = 1
# Seconds from 1900, where NTP begins, to 1970.
NTP_EPOCH = 2_208_988_800


@cython.final
cdef class RtpSession:
    """Sends and receives the RTP and RTCP of one call. No sockets, no clock, no gateway.

    ``ssrc`` is our own, from Ready. ``sequence`` and ``timestamp`` fix where the numbers
    start; None: random, from ``random`` (a `random.Random`) if that is given. ``dave`` is
    the end-to-end encryption; None or `Passthrough`: none.

    After each mutating call, call `poll` until it returns None, then read `next_timeout`.
    Nothing that `receive` is given raises. Not to be entered by two threads at once.
    """

    def __cinit__(self, ssrc, *, config=None, dave=None, random=None, sequence=None,
                  timestamp=None):
        if config is None:
            config = Config()
        if dave is not None and type(dave) is Passthrough:
            dave = None
        self._outbox = Outbox(config.max_pending, config.report_drops)
        self._sender = Sender(dave, config.media_clock_slack)
        self._receiver = Receiver(self._outbox, dave, config)
        self._random = _RANDOM if random is None else random
        self._mark_spurts = config.marker
        self._wall_offset = INFINITY
        self._start(ssrc, sequence, timestamp)

    cdef int _start(self, ssrc, sequence, timestamp) except -1:
        if sequence is None:
            sequence = self._random.getrandbits(16)
        if timestamp is None:
            timestamp = self._random.getrandbits(32)
        self._sender.restart(ssrc, sequence, timestamp)
        return 0

    def __repr__(self):
        return f"<RtpSession ssrc={self.ssrc} {self.mode or 'without key'}>"

    def __reduce__(self):
        raise TypeError("a copy of a session would repeat its nonces")

    # -- the session -----------------------------------------------------------

    def set_key(self, mode, key, *, nonce_start=None):
        """Encrypt with ``key`` from now on (Session Description).

        A key that is set again, even after `close` or `reset`, goes on with the nonces that
        it has not used; ``nonce_start`` is for a new one. Raises as `TransportCipher` does.
        """
        self._freeze()
        fingerprint = blake2b(key, digest_size=16).digest()
        if fingerprint != self._fingerprint:
            cipher = TransportCipher(mode, key, nonce_start=nonce_start)
        else:
            cipher = TransportCipher(mode, key, counter=self._counter)
        if self._cipher is not None:
            self._cipher.close()
        self._cipher = cipher
        self._counter = cipher.counter
        self._fingerprint = fingerprint

    def close(self):
        """Wipe the key and forget all streams. Counters stay; `set_key` begins again."""
        self._freeze()
        if self._cipher is not None:
            self._cipher.close()
            self._cipher = None
        self._receiver.forget_all()

    def reset(self, ssrc):
        """Begin a new session under a new SSRC: no key, no streams, numbers start anew."""
        self.close()
        self._start(ssrc, None, None)

    # -- lending -----------------------------------------------------------------

    def lend(self, Borrower borrower not None):
        """Let ``borrower`` seal and send, until `take_back`; our own sealing raises meanwhile.

        RTCP stays ours. `set_key`, `close` and `reset` wait until the borrower has stopped,
        and leave the session lent. Raises `LocalProtocolError` if it is lent already.
        """
        self.lend_c(borrower)

    def take_back(self):
        """Seal and send ourselves again. Idempotent; the borrower has stopped before."""
        self.take_back_c()

    cdef int lend_c(self, Borrower borrower) except -1:
        if self._lent is not None:
            raise LocalProtocolError("somebody sends for this session already")
        self._check_ours()
        self._lent = borrower
        return 0

    cdef int take_back_c(self) except -1:
        self._lent = None
        return 0

    @property
    def is_lent(self):
        """Whether somebody else, such as a pacer, seals and sends for the session."""
        return self._lent is not None

    def renew(self):
        """Have the borrower, if there is one, encrypt anew what it has not sent."""
        if self._lent is not None:
            self._lent.renew()

    cdef int _freeze(self) except -1:
        if self._in_batch:
            raise LocalProtocolError("another thread is in the middle of a batch")
        return 0 if self._lent is None else self._lent.freeze()

    cdef int _check_ours(self) except -1:
        if self._in_batch:
            raise LocalProtocolError("another thread is in the middle of a batch")
        if self._lent is not None:
            raise LocalProtocolError("the pacer sends for this session")
        return 0

    @property
    def ssrc(self):
        """Our own SSRC."""
        return self._sender.ssrc

    @property
    def mode(self):
        """The transport encryption mode in use; None without a key."""
        return None if self._cipher is None else self._cipher.mode

    @property
    def is_exhausted(self):
        """Whether the key has no nonce left: nothing can be sent before there is a new one."""
        return self._cipher is not None and (
            vk_atomic_load(&self._counter._next) >= self._counter._stop
        )

    # -- sending ---------------------------------------------------------------

    def seal_audio(self, opus, double now):
        """Return the datagram for one Opus packet; None: dropped and counted.

        The timestamp follows the media clock: after a pause it jumps ahead by whole frames.
        """
        return self.seal_audio_c(opus, now)

    cdef bytes seal_audio_c(self, object opus, double now):
        cdef Sender sender = self._sender
        cdef TransportCipher cipher = self._cipher
        cdef bytes frame
        cdef bytes packet
        cdef bint spurt
        cdef int duration = 0
        cdef int reason = DROP_NONE
        self._check_ours()
        if cipher is None:
            self._drop_frame(DROP_NOT_READY, opus)
            return None
        frame = sender.admit(opus, &duration, &reason)
        if frame is None:
            self._drop_frame(reason, opus)
            return None
        spurt = sender.follow_clock(now)
        packet = PyBytes_FromStringAndSize(
            NULL, FIXED_HEADER + PyBytes_GET_SIZE(frame) + OVERHEAD)
        if sender.seal(
            cipher, <uint8_t*> PyBytes_AS_STRING(packet),
            <const uint8_t*> PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), duration,
            spurt and self._mark_spurts, sender.is_clear,
        ) != CRYPTO_OK:
            self._drop_frame(DROP_NONCE_EXHAUSTED, opus)
            return None
        return packet

    def seal_many(self, frames, double now):
        """`seal_audio` for several frames in a row: a list of datagrams.

        What is dropped is missing, and counted. Other threads run while a batch of a
        millisecond or more is sealed, and may not seal or change the key meanwhile.
        """
        return self.seal_many_c(frames, now)

    cdef list seal_many_c(self, object frames, double now):
        cdef TransportCipher cipher = self._cipher
        cdef SealBatch batch = SealBatch.__new__(SealBatch)
        cdef int answer
        self._check_ours()
        if cipher is None:
            for opus in frames:
                self._drop_frame(DROP_NOT_READY, opus)
            return []
        batch.admit(frames, self._sender, self._outbox)
        batch.number(self._sender, cipher.counter, self._outbox, self._mark_spurts, now)
        if cipher.is_long(batch.count, batch.octets):
            self._in_batch = True
            with nogil:
                answer = batch.seal(cipher)
            self._in_batch = False
        else:
            answer = batch.seal(cipher)
        _check(answer)
        return batch.packets

    cdef int _drop_frame(self, int reason, object opus) except -1:
        return self._outbox.drop(reason, len(opus), self._sender.ssrc)

    def seal(self, opus, *, bint marker=False):
        """Return the datagram for one Opus packet, without a media clock.

        Sequence and timestamp advance by one packet and its duration. Raises `ValueError`
        if it is not Opus, `NonceExhausted`, and `LocalProtocolError` without a key, or when
        end-to-end encryption does not let it out now.
        """
        cdef int duration = 0
        cdef bytes frame = self._admit(opus, &duration)
        cdef bytes packet = PyBytes_FromStringAndSize(
            NULL, FIXED_HEADER + PyBytes_GET_SIZE(frame) + OVERHEAD)
        _check(self._sender.seal(
            self._cipher, <uint8_t*> PyBytes_AS_STRING(packet),
            <const uint8_t*> PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), duration,
            marker, self._sender.is_clear))
        return packet

    def seal_into(self, buffer, opus, *, bint marker=False):
        """`seal` into a writable ``buffer``; return the datagram's length.

        Raises `ValueError` if it is too small: 32 bytes more than the packet, and what
        end-to-end encryption adds.
        """
        cdef int duration = 0
        cdef bytes frame = self._admit(opus, &duration)
        cdef Py_ssize_t size = FIXED_HEADER + PyBytes_GET_SIZE(frame) + OVERHEAD
        cdef Py_buffer out
        PyObject_GetBuffer(buffer, &out, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            if out.len < size:
                raise ValueError(f"the datagram has {size} bytes, the buffer {out.len}")
            _check(self._sender.seal(
                self._cipher, <uint8_t*> out.buf, <const uint8_t*> PyBytes_AS_STRING(frame),
                PyBytes_GET_SIZE(frame), duration, marker, self._sender.is_clear))
        finally:
            PyBuffer_Release(&out)
        return size

    cdef bytes _admit(self, object opus, int* duration):
        cdef int reason = DROP_NONE
        cdef bytes frame
        self._check_ours()
        if self._cipher is None:
            raise LocalProtocolError("there is no key: wait for the session description")
        frame = self._sender.admit(opus, duration, &reason)
        if reason == DROP_BAD_FRAME:
            raise ValueError("not an Opus packet")
        if frame is None:
            raise LocalProtocolError("end-to-end encryption is not ready for this frame")
        return frame

    # -- receiving -------------------------------------------------------------

    def receive(self, data, double now):
        """Take one datagram, RTP or RTCP; return its frame if its user is known.

        Frames that had to wait for their user come from `poll`, as do events.
        """
        return self.receive_c(data, now)

    def receive_many(self, datagrams, double now):
        """`receive` for several datagrams, in order: a list of frames.

        Other threads run while a batch of a millisecond or more is opened, and may not
        change the key meanwhile.
        """
        return self.receive_many_c(datagrams, now)

    cdef list receive_many_c(self, object datagrams, double now):
        cdef OpenBatch batch = OpenBatch.__new__(OpenBatch)
        cdef Datagram* datagram
        cdef list frames = []
        cdef AudioFrame frame
        if type(datagrams) is DatagramBatch:
            batch.read(datagrams)
        else:
            batch.hold(datagrams)
        if self._cipher is not None and self._cipher.is_long(batch.count, batch.octets):
            return self._receive_long(batch, now)
        for index in range(batch.count):
            datagram = &batch.datagrams[index]
            frame = self._receive_at(datagram.data, datagram.size, now)
            if frame is not None:
                frames.append(frame)
        return frames

    cdef list _receive_long(self, OpenBatch batch, double now):
        """Open all of them without the GIL, then take them as usual."""
        cdef TransportCipher cipher = self._cipher
        cdef Datagram* datagram
        cdef uint8_t* plain
        cdef list frames = []
        cdef AudioFrame frame
        if self._in_batch:
            raise LocalProtocolError("another thread is in the middle of a batch")
        batch.make_room()
        self._in_batch = True
        with nogil:
            batch.open(cipher)
        self._in_batch = False
        plain = batch.plain
        for index in range(batch.count):
            datagram = &batch.datagrams[index]
            frame = self._take_opened(
                batch.answers[index], &batch.views[index], datagram.data, datagram.size, plain,
                now)
            if frame is not None:
                frames.append(frame)
            plain += datagram.size
        return frames

    cdef AudioFrame receive_c(self, object data, double now):
        cdef Py_buffer datagram
        if type(data) is bytes:
            return self._receive_at(
                <const uint8_t*> PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), now)
        PyObject_GetBuffer(data, &datagram, PyBUF_SIMPLE)
        try:
            return self._receive_at(<const uint8_t*> datagram.buf, datagram.len, now)
        finally:
            PyBuffer_Release(&datagram)

    cdef AudioFrame _receive_at(self, const uint8_t* data, Py_ssize_t size, double now):
        cdef uint8_t[STACK_SCRATCH] scratch
        cdef uint8_t* plain = scratch
        cdef PacketView view
        cdef int answer
        if size > STACK_SCRATCH:
            plain = <uint8_t*> PyMem_Malloc(size)
            if plain == NULL:
                raise MemoryError
        try:
            answer = open_packet_c(self._cipher, data, size, plain, &view)
            return self._take_opened(answer, &view, data, size, plain, now)
        finally:
            if plain != scratch:
                PyMem_Free(plain)

    cdef AudioFrame _take_opened(self, int answer, PacketView* view, const uint8_t* data,
                                 Py_ssize_t size, uint8_t* plain, double now):
        """What `open_packet_c` made of a datagram; ``plain`` is scratch of its size."""
        if answer == DROP_NONE and view.ssrc != self._sender.ssrc:
            return self._receiver.receive(view, size, now)
        if answer == IS_RTCP:
            self._receive_rtcp(data, size, plain, now)
            return None
        if answer == DROP_NONE:
            answer = DROP_OWN_SSRC
        self._outbox.drop(answer, size, view.ssrc if view.header_size else <int64_t> NO_SSRC)
        return None

    cdef int _receive_rtcp(self, const uint8_t* data, Py_ssize_t size, uint8_t* plain,
                           double now) except -1:
        cdef Py_ssize_t length = open_rtcp_c(self._cipher, data, size, plain)
        cdef tuple packets
        cdef Stream stream
        if length < 0:
            return self._outbox.drop(<int> -length, size, NO_SSRC)
        packets = parse_compound_c(plain, length)
        if packets is None:
            return self._outbox.drop(DROP_BAD_RTCP, size, NO_SSRC)
        self._rtcp_received += 1
        for packet in packets:
            if isinstance(packet, SenderReport):
                stream = <Stream> self._receiver.streams.get(packet.ssrc)
                if stream is not None:
                    stream.reception.receive_sender_report(packet, now)
        return self._outbox.put(RtcpReceived(packets, now))

    # -- who is who --------------------------------------------------------------

    def map_ssrc(self, ssrc, user_id, double now):
        """Give ``ssrc`` to a user; packets that waited for that come from `poll`."""
        if ssrc != self._sender.ssrc:
            self._receiver.claim(ssrc, user_id, now)

    def speaking(self, ssrc, user_id, flags, double now):
        """Take a Speaking message (op 5): `map_ssrc`, and start or stop of a talk spurt."""
        if ssrc != self._sender.ssrc:
            self._receiver.set_speaking(
                self._receiver.claim(ssrc, user_id, now), flags != 0, now)

    def retry(self, double now):
        """Try again to decrypt what waits for a key: end-to-end encryption has new ones."""
        self._receiver.retry(now)

    def remove_user(self, user_id, double now):
        """Take all SSRCs from a user who left (op 13)."""
        self._receiver.remove_user(user_id, now)

    def user_of(self, ssrc):
        """Return the user that sends under ``ssrc``, or None."""
        cdef Stream stream = <Stream> self._receiver.streams.get(ssrc)
        if stream is None or stream.owner != OWNER_KNOWN:
            return None
        return stream.user_id

    def ssrcs_of(self, user_id):
        """Return the SSRCs under which a user sends, in the order in which they came."""
        cdef Stream stream
        return tuple([
            stream.ssrc for stream in list(self._receiver.streams.values())
            if stream.owner == OWNER_KNOWN and stream.user_id == user_id
        ])

    # -- the loop ----------------------------------------------------------------

    def poll(self):
        """Return the next released frame or event; None when there is nothing more."""
        return self._outbox.take()

    @property
    def has_pending(self):
        """Whether `poll` has something to return."""
        return self._outbox.size > 0

    def next_timeout(self):
        """Return when `handle_timeout` is due; None: never."""
        cdef double due = self._receiver.next_check
        return due if isfinite(due) else None

    def handle_timeout(self, double now):
        """Expire held packets, end talk spurts. Too early does nothing."""
        self._receiver.handle_timeout(now)

    # -- RTCP ----------------------------------------------------------------------

    def set_wall_clock(self, double now, double wall):
        """Say that ``now`` is the Unix time ``wall``: sender reports tell it."""
        self._wall_offset = wall - now

    def seal_rtcp(self, packet):
        """Return the datagram of a plain compound packet.

        Raises `NonceExhausted`, `ValueError` if it is no RTCP, and `LocalProtocolError`
        without a key.
        """
        if self._cipher is None:
            raise LocalProtocolError("there is no key: wait for the session description")
        sealed = seal_rtcp(self._cipher, packet)
        self._rtcp_sent += 1
        return sealed

    def build_report(self, double now):
        """Return a sealed sender report, or a receiver report if nothing was sent.

        None without a key, without nonces, or with nothing to report.
        """
        if self._cipher is None or self.is_exhausted:
            return None
        if self._sender.ssrc_packets and isfinite(self._wall_offset):
            return self.sender_report(now)
        if self._receiver.packets:
            return self.receiver_report(now)
        return None

    def sender_report(self, double now, wall=None):
        """Return a sealed sender report with blocks for what was received since the last.

        Raises `LocalProtocolError` without a key, or if neither ``wall`` (Unix time) nor
        `set_wall_clock` told the time.
        """
        if wall is None:
            if not isfinite(self._wall_offset):
                raise LocalProtocolError("set_wall_clock() comes before a sender report")
            wall = now + self._wall_offset
        return self._seal_report(SenderReport(
            ssrc=self.ssrc,
            ntp=round((wall + NTP_EPOCH) * 2**32) & 0xFFFF_FFFF_FFFF_FFFF,
            rtp_time=self._sender.timestamp_at(now),
            packets=self._sender.ssrc_packets,
            octets=self._sender.ssrc_octets,
            reports=tuple(self._receiver.report_blocks(now)),
        ))

    def receiver_report(self, double now):
        """Return a sealed receiver report. Raises `LocalProtocolError` without a key."""
        return self._seal_report(
            ReceiverReport(ssrc=self.ssrc, reports=tuple(self._receiver.report_blocks(now))))

    cdef bytes _seal_report(self, object report):
        # The name need only be unique in the call, and the SSRC is.
        name = f"{self.ssrc:08x}".encode()
        description = SourceDescription((SdesChunk(self.ssrc, ((CNAME, name),)),))
        return self.seal_rtcp(build_compound((report, description)))

    def drop(self, reason, size):
        """Count a datagram, or a frame to be sent, that the session's owner dropped."""
        self.drop_c(DROP_REASONS.index(reason) + 1, size)

    cdef int drop_c(self, int reason, Py_ssize_t size) except -1:
        return self._outbox.drop(reason, size, NO_SSRC)

    cdef int count_drop_c(self, int reason) except -1:
        self._outbox._drops[reason] += 1
        return 0

    # -- statistics ------------------------------------------------------------------

    @property
    def drops(self):
        """How often what was dropped, by `voicekit.codes.DropReason`."""
        return self._outbox.drops()

    def stream_stats(self):
        """Return `voicekit.stats.StreamStats` by SSRC, of streams that sent something."""
        cdef Stream stream
        streams = {}
        for stream in list(self._receiver.streams.values()):
            if stream.reception.received:
                streams[stream.ssrc] = stream.stats()
        return streams

    @property
    def last_sequence(self):
        """Sequence number of the last packet sent under this SSRC; None before the first."""
        return self._sender.last_sequence

    @property
    def last_timestamp(self):
        """Timestamp of the last packet sent under this SSRC; None before the first."""
        return self._sender.last_timestamp

    @property
    def packets_sent(self):
        """RTP packets sealed."""
        return self._sender.packets

    @property
    def bytes_sent(self):
        """Size of their datagrams."""
        return self._sender.bytes

    @property
    def frames_sent_clear(self):
        """Those without end-to-end encryption."""
        return self._sender.clear

    @property
    def packets_received(self):
        """RTP packets that became frames."""
        return self._receiver.packets

    @property
    def bytes_received(self):
        """Size of their datagrams."""
        return self._receiver.bytes

    @property
    def rtcp_sent(self):
        """RTCP datagrams sealed."""
        return self._rtcp_sent

    @property
    def rtcp_received(self):
        """RTCP datagrams understood."""
        return self._rtcp_received


cdef int _check(int answer) except -1:
    return 0 if answer == CRYPTO_OK else raise_crypto(answer)
