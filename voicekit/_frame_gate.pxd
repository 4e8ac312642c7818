# End-to-end encryption of one frame: what other Cython modules may call.

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t


cdef enum:
    MAX_LEADING = 3


@cython.final
cdef class FrameCall:
    cdef object _function
    cdef tuple _leading
    # Those, behind a free place; the frame's comes behind them.
    cdef PyObject* _arguments[MAX_LEADING + 2]
    cdef Py_ssize_t _count          # of leading arguments and the frame
    cdef bytes call(self, bytes frame)


@cython.final
cdef class OpeningKeys:
    cdef dict _by_user      # lists of (layer, opener), the one that opened the last frame first
    # Whose frame came last, and their list: mostly the next one is theirs, too.
    cdef uint64_t _latest_user
    cdef list _latest
    cdef bytes open_c(self, uint64_t user_id, bytes frame)


cdef class FrameGate:
    # Encrypts an Opus packet; None: frames go out in clear.
    cdef public object _seal
    # Opens a frame of a user id.
    cdef public object _open
    cdef public bint _require_e2ee  # silence rather than clear frames
    cdef public bint _marked        # frames with the marker are encrypted ones
    cdef public bint _takes_clear   # clear frames are taken, and not only silence

    # Whether all frames pass as they are: a call without end-to-end encryption.
    cdef inline bint sends_clear(self) noexcept:
        return self._seal is None and not self._require_e2ee

    cdef inline bint takes_all(self) noexcept:
        return self._takes_clear and not self._marked

    # Like the Python methods of these names, without the call.
    cdef bytes encrypt_c(self, bytes opus)
    cdef bytes decrypt_c(self, uint64_t user_id, bytes frame)
