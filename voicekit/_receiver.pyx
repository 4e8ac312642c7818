"""The receiving half of a session: from an opened packet to the frame of a user.

The owner of an SSRC, and what changes it:

| owner         | until                                   | then            | its packets are |
| ------------- | --------------------------------------- | --------------- | --------------- |
| none yet      | the first packet                        | `OWNER_UNKNOWN` |                 |
|               | Speaking or Video names it              | `OWNER_KNOWN`   |                 |
| OWNER_UNKNOWN | Speaking or Video names it              | `OWNER_KNOWN`   | held            |
|               | nothing is held any more                | forgotten       |                 |
| OWNER_KNOWN   | its user leaves                         | `OWNER_LEFT`    | delivered       |
| OWNER_LEFT    | Speaking or Video names it again        | `OWNER_KNOWN`   | dropped         |
|               | `Config.hold_time` has passed           | forgotten       |                 |

Packets of an unknown SSRC wait, since the Speaking message that names its user comes over
another connection, often a little later. Those of a user who left are dropped for as long
as they may still be on their way. Streams of nobody are forgotten soon, so that an endless
supply of SSRCs fills no table.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from ._extensions cimport AudioExtensions, read_audio_extensions
from ._frame cimport AudioFrame, new_frame
from ._opus_toc cimport opus_duration_c
from ._outbox cimport Outbox
from ._reception cimport RECEPTION_DUPLICATE, Position, Reception
from ._rtp cimport (
    DROP_DUPLICATE,
    DROP_EMPTY,
    DROP_HOLD_OVERFLOW,
    DROP_TOO_MANY_SSRCS,
    DROP_UNDECRYPTABLE,
    DROP_UNKNOWN_SSRC,
    DROP_USER_LEFT,
    NO_EXTENSION,
    PacketView,
)

from .events import SpeakingStarted, SpeakingStopped, SsrcChanged
from .stats import StreamStats

__all__ = ["Receiver", "Stream"]

cdef enum:
    SILENCE_SIZE = 3
    # RFC 3550 §6.4.1: the count of report blocks has five bits.
    MAX_REPORT_BLOCKS = 31

cdef const uint8_t* SILENCE = b"\xf8\xff\xfe"


@cython.final
@cython.auto_pickle(False)
cdef class Stream:
    """What is known of one SSRC."""

    def __cinit__(self, uint32_t ssrc, double now):
        self.ssrc = ssrc
        self.owner = OWNER_UNKNOWN
        self.since = now
        self.reception = Reception(ssrc)
        self.held = []
        self.keyless = []
        self.reported_at = -INFINITY

    cdef double last_activity(self) noexcept:
        if self.reception.received:
            return max(self.since, self.reception.last_arrival)
        return self.since

    cdef object stats(self):
        cdef Reception reception = self.reception
        return StreamStats(
            ssrc=self.ssrc,
            user_id=self.user_id if self.owner == OWNER_KNOWN else None,
            packets=reception.received,
            bytes=self.bytes,
            expected=reception.expected,
            lost=reception.lost,
            duplicates=reception.duplicates,
            reordered=reception.reordered,
            jitter=reception.jitter,
            first_sequence=reception.first_sequence,
            highest_sequence=reception.highest_sequence,
            held=self.held_ever,
            awaited_key=self.keyless_ever,
            undecryptable=self.undecryptable,
            last_arrival=reception.last_arrival,
        )


def _reported_at(Stream stream):
    return stream.reported_at


@cython.final
@cython.auto_pickle(False)
cdef class Receiver:
    """The table of streams. ``config`` gives its limits, `Outbox` takes what it reports."""

    def __cinit__(self, Outbox outbox not None, object dave, object config):
        self._outbox = outbox
        self.dave = dave
        self.gate = None if dave is None else dave.gate
        self.streams = {}
        self._named = {}
        self.next_check = INFINITY
        self._max_streams = config.max_ssrcs
        self._hold_packets = config.hold_packets
        self._hold_bytes = config.hold_bytes
        self._hold_time = config.hold_time
        self._key_hold_time = config.key_hold_time
        self._speaking_timeout = config.speaking_timeout

    # -- one packet ------------------------------------------------------------

    cdef AudioFrame receive(self, PacketView* view, Py_ssize_t size, double now):
        cdef Stream stream = self._find(view.ssrc)
        cdef Position position
        cdef AudioExtensions extensions
        cdef AudioFrame frame
        cdef uint32_t ssrc = view.ssrc
        if stream is None:
            if len(self.streams) >= self._max_streams:
                self._outbox.drop(DROP_TOO_MANY_SSRCS, size, ssrc)
                return None
            stream = self._add(ssrc, now)
            self.next_check = min(self.next_check, self._deadline(stream))
        if stream.reception.update_c(
            view.sequence, view.timestamp, now, &position
        ) >= RECEPTION_DUPLICATE:
            self._outbox.drop(DROP_DUPLICATE, size, ssrc)
            return None
        if stream.owner == OWNER_LEFT:
            self._outbox.drop(DROP_USER_LEFT, size, ssrc)
            return None

        frame = new_frame()
        frame.user_id = stream.user_id
        frame.ssrc = ssrc
        frame.opus = PyBytes_FromStringAndSize(<const char*> view.payload, view.payload_len)
        frame.sequence = position.sequence
        frame.rtp_time = position.timestamp
        frame.marker = view.marker
        frame.arrived = now
        frame.lost_before = position.missing
        frame.datagram_size = size
        frame.duration = opus_duration_c(view.payload, view.payload_len)
        if view.extension_profile == NO_EXTENSION:
            frame._audio_level = -1
            frame._speaker_flags = -1
        else:
            read_audio_extensions(
                view.extension_profile, view.extension, view.extension_len, &extensions)
            frame._audio_level = extensions.audio_level
            frame._speaker_flags = extensions.speaker_flags
        if stream.owner == OWNER_UNKNOWN:
            self._hold(stream, frame)
            return None
        return self._deliver(stream, frame, now)

    cdef bytes _decrypt(self, Stream stream, AudioFrame frame, double now):
        if self.gate is not None:
            return self.gate.decrypt_c(stream.user_id, frame.opus)
        return self.dave.decrypt(stream.user_id, frame.opus, now)

    cdef AudioFrame _deliver(self, Stream stream, AudioFrame frame, double now):
        """Decrypt end to end, count, and note that the user speaks; None: dropped, or waits."""
        cdef bytes opus = frame.opus
        if self.dave is not None and (self.gate is None or not self.gate.takes_all()):
            opus = self._decrypt(stream, frame, now)
            if opus is None:
                if self.dave.awaits_key(frame.opus):
                    self._await_key(stream, frame)
                else:
                    self._give_up(stream, frame)
                return None
            if not opus:
                self._outbox.drop(DROP_EMPTY, frame.datagram_size, stream.ssrc)
                return None
        return self._count(stream, frame, opus, now)

    cdef AudioFrame _count(self, Stream stream, AudioFrame frame, bytes opus, double now):
        cdef Py_ssize_t size = PyBytes_GET_SIZE(opus)
        if opus is not frame.opus:
            # End-to-end encryption takes a tag off at least; clear frames stay as they are.
            frame.e2ee = PyBytes_GET_SIZE(frame.opus) != size
            frame.opus = opus
            frame.duration = opus_duration_c(<const uint8_t*> <const char*> opus, size)
        self.packets += 1
        self.bytes += <uint64_t> frame.datagram_size
        stream.bytes += <uint64_t> size
        if size != SILENCE_SIZE or memcmp(<const char*> opus, SILENCE, SILENCE_SIZE) != 0:
            self.set_speaking(stream, True, now)
        return frame

    cdef int set_speaking(self, Stream stream, bint speaking, double now) except -1:
        stream.voice_at = now
        if speaking == stream.speaking:
            return 0
        stream.speaking = speaking
        kind = SpeakingStarted if speaking else SpeakingStopped
        self._outbox.put(kind(stream.user_id, stream.ssrc))
        self.next_check = min(self.next_check, self._deadline(stream))
        return 0

    # -- packets without a key yet ------------------------------------------------

    cdef int _await_key(self, Stream stream, AudioFrame frame) except -1:
        """Hold a frame: its sender may have switched before we were told the new key."""
        if self._held_bytes + frame.datagram_size > self._hold_bytes or not self._key_hold_time:
            return self._give_up(stream, frame)
        stream.keyless.append(frame)
        stream.keyless_ever += 1
        self._held_bytes += frame.datagram_size
        self.next_check = min(self.next_check, self._deadline(stream))
        return 0

    cdef int _give_up(self, Stream stream, AudioFrame frame) except -1:
        stream.undecryptable += 1
        return self._outbox.drop(DROP_UNDECRYPTABLE, frame.datagram_size, stream.ssrc)

    cdef int _drop_keyless(self, Stream stream, double now) except -1:
        """Give up on what has waited for `Config.key_hold_time`; infinity: on all of it."""
        cdef AudioFrame frame
        while (frame := self._take_expired(stream.keyless, self._key_hold_time, now)) is not None:
            self._give_up(stream, frame)
        return 0

    cdef AudioFrame _take_expired(self, list waiting, double hold_time, double now):
        """Take the oldest of those that wait if its time is over, else None."""
        cdef AudioFrame oldest
        if not waiting:
            return None
        oldest = waiting[0]
        if oldest.arrived + hold_time > now:
            return None
        del waiting[0]
        self._held_bytes -= oldest.datagram_size
        return oldest

    cdef int retry(self, double now) except -1:
        cdef Stream stream
        cdef AudioFrame frame
        cdef bytes opus
        cdef list waiting
        for stream in list(self.streams.values()):
            if not stream.keyless:
                continue
            waiting = stream.keyless
            stream.keyless = []
            for frame in waiting:
                opus = self._decrypt(stream, frame, now)
                if opus is None:
                    stream.keyless.append(frame)
                    continue
                self._held_bytes -= frame.datagram_size
                if opus:
                    self._outbox.put(self._count(stream, frame, opus, now))
                else:
                    self._outbox.drop(DROP_EMPTY, frame.datagram_size, stream.ssrc)
        return 0

    # -- packets of nobody yet -------------------------------------------------

    cdef int _hold(self, Stream stream, AudioFrame frame) except -1:
        cdef AudioFrame oldest
        if self._hold_packets == 0:
            self._outbox.drop(DROP_UNKNOWN_SSRC, frame.datagram_size, stream.ssrc)
            return 0
        if self._held_bytes + frame.datagram_size > self._hold_bytes:
            self._outbox.drop(DROP_HOLD_OVERFLOW, frame.datagram_size, stream.ssrc)
            return 0
        if len(stream.held) >= self._hold_packets:
            oldest = stream.held.pop(0)
            self._held_bytes -= oldest.datagram_size
            self._outbox.drop(DROP_HOLD_OVERFLOW, oldest.datagram_size, stream.ssrc)
        stream.held.append(frame)
        stream.held_ever += 1
        self._held_bytes += frame.datagram_size
        self.next_check = min(self.next_check, self._deadline(stream))
        return 0

    cdef int _drop_held(self, Stream stream, double now) except -1:
        """Drop what has waited for `Config.hold_time`; infinity: all of it."""
        cdef AudioFrame frame
        while (frame := self._take_expired(stream.held, self._hold_time, now)) is not None:
            self._outbox.drop(DROP_UNKNOWN_SSRC, frame.datagram_size, stream.ssrc)
        return 0

    # -- who is who ------------------------------------------------------------

    cdef Stream claim(self, uint32_t ssrc, uint64_t user_id, double now):
        """Give an SSRC to a user; what was held for it goes to the outbox."""
        cdef Stream stream = self._find(ssrc)
        cdef AudioFrame frame
        cdef list held
        if stream is None:
            if len(self.streams) >= self._max_streams:
                self._evict()
            stream = self._add(ssrc, now)
        if stream.owner == OWNER_KNOWN:
            if stream.user_id == user_id:
                self._name(stream)
                return stream
            self.set_speaking(stream, False, now)
            self._drop_keyless(stream, INFINITY)
            self._unname(stream)
        self._drop_held(stream, now)
        stream.owner = OWNER_KNOWN
        stream.user_id = user_id
        stream.since = now
        self._name(stream)
        held = stream.held
        stream.held = []
        for frame in held:
            self._held_bytes -= frame.datagram_size
            frame.user_id = user_id
            frame = self._deliver(stream, frame, now)
            if frame is not None:
                self._outbox.put(frame)
        return stream

    cdef int _name(self, Stream stream) except -1:
        """Note under which SSRC a user is known now, and report that it is another one."""
        old = self._named.get(stream.user_id)
        if old is None or old != stream.ssrc:
            self._named[stream.user_id] = stream.ssrc
            if old is not None:
                self._outbox.put(SsrcChanged(stream.user_id, stream.ssrc, old))
        return 0

    cdef int _unname(self, Stream stream) except -1:
        if self._named.get(stream.user_id) == stream.ssrc:
            del self._named[stream.user_id]
        return 0

    cdef int remove_user(self, uint64_t user_id, double now) except -1:
        """Take all SSRCs from a user who left; a new call of theirs has a new one."""
        cdef Stream stream
        for stream in self.streams.values():
            if stream.owner == OWNER_KNOWN and stream.user_id == user_id:
                self.set_speaking(stream, False, now)
                self._drop_keyless(stream, INFINITY)
                self._unname(stream)
                stream.owner = OWNER_LEFT
                stream.since = now
                self.next_check = min(self.next_check, self._deadline(stream))
        return 0

    # -- time ------------------------------------------------------------------

    cdef int handle_timeout(self, double now) except -1:
        """Look at every stream. `next_check` is early where a deadline moved meanwhile."""
        cdef Stream stream
        cdef double next_check = INFINITY
        if now < self.next_check:
            return 0
        for stream in list(self.streams.values()):
            if self._deadline(stream) <= now and self._expire(stream, now):
                continue
            next_check = min(next_check, self._deadline(stream))
        self.next_check = next_check
        return 0

    cdef double _deadline(self, Stream stream) noexcept:
        cdef double deadline
        cdef AudioFrame oldest
        if stream.owner == OWNER_KNOWN:
            deadline = stream.voice_at + self._speaking_timeout if stream.speaking else INFINITY
            if stream.keyless:
                oldest = <AudioFrame> stream.keyless[0]
                deadline = min(deadline, oldest.arrived + self._key_hold_time)
            return deadline
        if stream.held:
            return (<AudioFrame> stream.held[0]).arrived + self._hold_time
        return stream.since + self._hold_time

    cdef bint _expire(self, Stream stream, double now) except -1:
        """Do what a passed deadline asks for; whether the stream is forgotten."""
        if stream.owner == OWNER_KNOWN:
            self._drop_keyless(stream, now)
            if stream.speaking and stream.voice_at + self._speaking_timeout <= now:
                self.set_speaking(stream, False, now)
            return False
        self._drop_held(stream, now)
        if stream.held:
            return False
        self._remove(stream)
        return True

    # -- reports ---------------------------------------------------------------

    cdef list report_blocks(self, double now):
        cdef Stream stream
        heard = [
            stream for stream in self.streams.values()
            if stream.reception.received and stream.reception.last_arrival > stream.reported_at
        ]
        heard.sort(key=_reported_at)
        blocks = []
        for stream in heard[:MAX_REPORT_BLOCKS]:
            stream.reported_at = now
            blocks.append(stream.reception.report_block(now))
        return blocks

    # -- the table ---------------------------------------------------------------

    cdef Stream _find(self, uint32_t ssrc):
        cdef Stream latest = self._latest
        if latest is not None and latest.ssrc == ssrc:
            return latest
        latest = <Stream> self.streams.get(ssrc)
        if latest is not None:
            self._latest = latest
        return latest

    cdef Stream _add(self, uint32_t ssrc, double now):
        cdef Stream stream = Stream(ssrc, now)
        self.streams[ssrc] = stream
        self._latest = stream
        return stream

    cdef int _remove(self, Stream stream) except -1:
        del self.streams[stream.ssrc]
        self._latest = None
        return 0

    cdef int _evict(self) except -1:
        """Make room for an SSRC that the gateway vouches for: the quietest goes."""
        cdef Stream stream
        cdef Stream quietest = None
        for stream in self.streams.values():
            if quietest is None or stream.last_activity() < quietest.last_activity():
                quietest = stream
        self._abandon(quietest)
        return self._remove(quietest)

    cdef int _abandon(self, Stream stream) except -1:
        if stream.owner == OWNER_KNOWN:
            self.set_speaking(stream, False, stream.voice_at)
            self._drop_keyless(stream, INFINITY)
            self._unname(stream)
        return self._drop_held(stream, INFINITY)

    cdef int forget_all(self) except -1:
        """Forget every stream: the session is over."""
        cdef Stream stream
        for stream in self.streams.values():
            self._abandon(stream)
        self.streams.clear()
        self._latest = None
        self.next_check = INFINITY
        return 0
