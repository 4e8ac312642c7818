"""End-to-end encryption per frame: what is done to each, while nothing changes.

`voicekit.dave.frames` says what these states mean, and is what changes them.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.string cimport memcmp, memcpy

from .codes import SILENCE_FRAME

__all__ = ["MARKER", "FrameCall", "FrameGate", "OpeningKeys"]

#: What an encrypted frame ends with.
MARKER = b"\xfa\xfa"

cdef enum:
    MARKER_SIZE = 2

cdef extern from "Python.h":
    const size_t PY_VECTORCALL_ARGUMENTS_OFFSET
    object PyObject_Vectorcall(
        object callable, PyObject** arguments, size_t count, PyObject* names)

cdef bytes SILENCE = SILENCE_FRAME


cdef bint is_marked(bytes frame) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(frame)
    return size >= MARKER_SIZE and memcmp(
        PyBytes_AS_STRING(frame) + size - MARKER_SIZE, b"\xfa\xfa", MARKER_SIZE) == 0


@cython.final
cdef class FrameCall:
    """``function(*leading, frame)``, up to three of them, for a library's own methods.

    A `functools.partial` of a bound method takes 25 ns more, of the 400 that a frame takes.
    """

    def __init__(self, function, *leading):
        if len(leading) > MAX_LEADING:
            raise ValueError(f"at most {MAX_LEADING} arguments come before the frame")
        self._function = function
        self._leading = leading
        self._count = 1
        for argument in self._leading:
            self._arguments[self._count] = <PyObject*> argument
            self._count += 1

    def __call__(self, bytes frame not None, /):
        return self.call(frame)

    cdef bytes call(self, bytes frame):
        # The called function may write to the place in front: hence a copy.
        cdef PyObject* arguments[MAX_LEADING + 2]
        memcpy(arguments, self._arguments, sizeof(arguments))
        arguments[self._count] = <PyObject*> frame
        return PyObject_Vectorcall(
            self._function, &arguments[1], self._count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)


cdef inline bytes called(object function, bytes frame):
    if type(function) is FrameCall:
        return (<FrameCall> function).call(frame)
    return function(frame)


@cython.auto_pickle(False)
cdef class FrameGate:
    """Whether a frame passes, and what is made of it.

    ``open(user_id, frame)`` decrypts one of a user's: best `OpeningKeys` themselves, which
    need no Python call.
    """

    def __init__(self, open, *, require_e2ee=False):
        self._open = open
        self._require_e2ee = require_e2ee
        self._takes_clear = True

    def encrypt(self, bytes opus not None, /):
        """Return the frame to send for one Opus packet: silence where it must not go out."""
        return self.encrypt_c(opus)

    cdef bytes encrypt_c(self, bytes opus):
        cdef bytes frame
        if self._seal is not None:
            frame = called(self._seal, opus)
            if frame is not None:
                return frame
        elif not self._require_e2ee:
            return opus
        return self._silence()

    def decrypt(self, user_id, bytes frame not None, now, /):
        """Return the Opus packet of a frame: the same object where it was in clear."""
        return self.decrypt_c(user_id, frame)

    cdef bytes decrypt_c(self, uint64_t user_id, bytes frame):
        if self._marked and is_marked(frame):
            if type(self._open) is OpeningKeys:
                return (<OpeningKeys> self._open).open_c(user_id, frame)
            return self._open(user_id, frame)
        if self._takes_clear or frame == SILENCE:
            return frame
        return None

    def awaits_key(self, bytes frame not None, /):
        """Whether a key that opens the frame may be on its way: its sender switches first."""
        return self._marked and is_marked(frame)


@cython.final
@cython.auto_pickle(False)
cdef class OpeningKeys:
    """What opens the frames of each user: one opener for each layer of receive keys.

    The opener that took the last frame comes first, since a failure is expensive.
    """

    def __cinit__(self):
        self._by_user = {}

    def __len__(self):
        return len(self._by_user)

    def add(self, user_id, layer, opener):
        """Add an opener: ``opener(frame)`` is the Opus packet, or None."""
        cdef list openers = self._by_user.setdefault(user_id, [])
        self._latest = None
        # Behind the one in use, which its user has not left yet, before the older ones.
        openers.insert(1 if openers else 0, (layer, opener))

    def drop(self, before):
        """Drop the openers of all layers before this one."""
        cdef list openers
        self._latest = None
        for user_id, openers in list(self._by_user.items()):
            openers[:] = [entry for entry in openers if entry[0] >= before]
            if not openers:
                del self._by_user[user_id]

    def clear(self):
        """Drop them all."""
        self._latest = None
        self._by_user.clear()

    def __call__(self, user_id, bytes frame not None, /):
        """Return the Opus packet of a frame; None: no key fits."""
        return self.open_c(user_id, frame)

    cdef bytes open_c(self, uint64_t user_id, bytes frame):
        cdef list openers = self._latest
        cdef Py_ssize_t at
        cdef bytes opus
        if openers is None or self._latest_user != user_id:
            openers = self._by_user.get(user_id)
            if openers is None:
                return None
            self._latest, self._latest_user = openers, user_id
        for at in range(len(openers)):
            opus = called((<tuple> openers[at])[1], frame)
            if opus is not None:
                if at:
                    openers.insert(0, openers.pop(at))
                return opus
        return None
