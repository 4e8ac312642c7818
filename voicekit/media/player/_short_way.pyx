"""The short way from a source to the ring: packets of one track that pass untouched.

So most of what bots play goes out, and thousands of calls ask for it twenty times a second each.
Whatever else is to be done, `Filling` and `Renderer` do the long way, in Python. Both keep here
what the short way has to know of them.
"""

from ._pieces cimport Passed, Waiting

__all__ = ["Filled", "Standing"]


cdef class Standing:
    """Of a renderer: where it stands between two frames."""

    cdef public object _before      # a `State`
    cdef public object _last        # the newest frame, or None
    cdef public Waiting _plain      # its packets pass, and nothing else happens; or None


cdef class Filled:
    """Of a filling: the ring, and what is in it."""

    cdef public Standing _renderer
    cdef public object _ring        # None: there is none yet
    cdef public list _pushed        # frames, and, as far as is known, not sent
    cdef public Py_ssize_t _first   # the number of the first of them, as the ring counts
    cdef public object _sent        # the one before, or None
    cdef public object _incoming    # the track that replaces what plays once it has a frame
    cdef public bint _is_paused
    cdef public list _happened
    cdef public list _calls

    def _pass_on(self):
        """Note what was sent and fill the ring; False: there is more to do than that."""
        cdef Waiting track
        cdef list pushed = self._pushed
        cdef Py_ssize_t count, at
        if self._ring is None or self._is_paused or self._incoming is not None:
            return False
        if self._happened or self._calls:
            return False
        track = self._renderer._plain
        if track is None:
            return False
        count = min(<Py_ssize_t> self._ring.position - self._first, len(pushed))
        for at in range(count):
            if type(pushed[at]) is not Passed and (pushed[at].lasting or pushed[at].notes):
                return False    # something happens with it
        if count > 0:
            self._first += count
            self._sent = pushed[count - 1]
            del pushed[:count]
        if pushed:
            return self._push_more(track)
        if track._reads_plainly is None:    # read in a thread: it may need a headstart
            return False
        self._ring.hold()   # as `Filling._fill` does
        try:
            return self._push_more(track)
        finally:
            self._ring.release()

    cdef bint _push_more(self, Waiting track) except -1:
        cdef Passed frame
        cdef list pushed = self._pushed
        cdef Py_ssize_t room = self._ring.room
        push = self._ring.push
        while room > 0:
            frame = track.take_passed()
            if frame is None:
                return False
            frame.state = self._renderer._before
            self._renderer._last = frame
            push(frame.packet)
            if frame.samples:   # else it is no Opus: the ring has counted and dropped it
                pushed.append(frame)
            room -= 1
        return not (self._happened or self._calls)
