# The thread without the GIL.

from ._loop cimport Loop
from ._threads cimport vk_thread_t


cdef class NativeLoop(Loop):
    cdef vk_thread_t _thread
    cdef int _cpu               # -1: any
    cdef bint _realtime
    cdef bint _running
    cdef bint _stopping

    cdef void _run(self) noexcept nogil
