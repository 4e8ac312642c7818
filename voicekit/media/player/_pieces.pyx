"""What a track is made of while it waits to be sent: packets as they came, and samples."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t

from ..._opus_toc cimport opus_duration_c

from ..._rtp import SAMPLE_RATE, opus_duration
from ..pcm import FRAME_BYTES, SAMPLE_BYTES

__all__ = ["Passed", "Piece", "Waiting", "last_frame"]

cdef enum:
    # RFC 7845 section 4.6: a decoder needs 80 ms to sound right in the middle of a stream.
    KEPT = 4
    # RFC 6716 section 3.2: at most 48 frames of 1 275 bytes. What is larger is not sent.
    LARGEST_OPUS = 48 * 1275

cdef double RATE = SAMPLE_RATE


@cython.no_gc
cdef class Piece:
    """Up to 20 ms of a source, before any gain.

    ``samples``; ``place``, seconds from the beginning of the source; ``lap``, how often that had
    begun again before it; ``pcm``, None until it is decoded; ``whole``, the packet that it is a
    part of, and ``cut``, how many samples of that come before it; ``packet``, the Opus packet
    that it came in, if it did.
    """

    def __init__(self, Py_ssize_t samples, double place, Py_ssize_t lap, pcm=None,
                 Passed whole=None, Py_ssize_t cut=0):
        self.samples = samples
        self.place = place
        self.lap = lap
        self.pcm = pcm
        self.whole = whole
        self.cut = cut

    def split(self, Py_ssize_t samples, pcm):
        """Return so many of its samples, and the rest. ``pcm`` is all of them."""
        whole = self if isinstance(self, Passed) else self.whole
        at = samples * SAMPLE_BYTES
        return (
            Piece(samples, self.place, self.lap, pcm[:at], whole, self.cut),
            Piece(
                self.samples - samples,
                self.place + samples / RATE,
                self.lap,
                pcm[at:],
                whole,
                self.cut + samples,
            ),
        )


@cython.no_gc
@cython.final
cdef class Passed(Piece):
    """A packet as it came; and, where it passes untouched, all there is to say of its frame.

    So a frame of this kind is no object of its own: it has what `frames.Rendered` has, of which
    ``age`` is the samples of its ``track`` before it, and ``state`` where the renderer stood, None
    while it waits. ``number`` says which of its track's packets it is.
    """

    lasting = ()
    notes = ()
    popped = ()
    saved = None
    lead = b""

    @property
    def track(self):
        """Whose frame it is: where packets pass nothing else plays."""
        return self.state.current

    @property
    def recent(self):
        """The last few packets before it, oldest first: for a decoder that starts here."""
        packets = (self._first, self._second, self._third, self._fourth)
        return tuple([packet for packet in packets if packet is not None])

    def put_back(self):
        """Undo that it was taken for a frame."""
        track, self.state = self.track, None
        track.put_back((self,))

    def heard(self):
        """Return 20 ms of samples that receivers have heard last when it was sent."""
        return last_frame(self.track.decode(self))


cdef class Waiting:
    """Of a track: what was read of it and waits, and how far it has been read."""

    cdef double _place_c(self) except? -1:
        if self._has_position:
            return self.source.position
        return self._read_in_lap / RATE

    def _source_place(self):
        return self._place_c()

    cdef Passed _passed_c(self, packet, double place):
        cdef Passed piece = Passed.__new__(Passed)
        if type(packet) is bytes:
            if PyBytes_GET_SIZE(packet) <= LARGEST_OPUS:
                piece.samples = opus_duration_c(
                    <const uint8_t*> PyBytes_AS_STRING(packet), PyBytes_GET_SIZE(packet))
        elif len(packet) <= LARGEST_OPUS:
            piece.samples = opus_duration(packet)
        self._packets += 1
        piece.packet = packet
        piece.place = place
        piece.lap = self._lap
        piece.number = self._packets
        piece._first, piece._second = self._first, self._second
        piece._third, piece._fourth = self._third, self._fourth
        self._first, self._second = self._second, self._third
        self._third, self._fourth = self._fourth, packet
        return piece

    def _forget_recent(self):
        """What is read next does not follow what was read before."""
        self._packets += KEPT   # no decoder may take it so
        self._first = self._second = self._third = self._fourth = None

    def _passed(self, packet, double place):
        return self._passed_c(packet, place)

    cdef Passed take_passed(self):
        cdef Passed piece
        cdef double place
        if self._pieces:
            if type(self._pieces[0]) is not Passed:
                return None
            piece = self._pieces[0]
            with self._lock:
                del self._pieces[0]
                self._samples -= piece.samples
        elif self._ended or self._target is not None or self._reads_plainly is None:
            return None
        else:
            try:
                place = self._place_c()
                packet = self._reads_plainly()
                if packet is None:
                    self._is_at_end = True
                    return None
                piece = self._passed_c(packet, place)
            except Exception as error:
                self._fail(error, self._generation)
                return None
            self._read_in_lap += piece.samples
        piece.age = self.rendered
        self.rendered += piece.samples
        return piece


def last_frame(pcm):
    """Return the last 20 ms of some samples, after silence if they are shorter."""
    return pcm[-FRAME_BYTES:].rjust(FRAME_BYTES, b"\0")
