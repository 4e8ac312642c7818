# Receiving from UDP sockets, for other Cython code.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t


cdef extern from "net/_receive.h" nogil:
    ctypedef int vk_socket
    const int VK_RECVMMSG
    int vk_receive_singly(
        vk_socket fd, uint8_t* arena, size_t slot_size, uint32_t* sizes, int capacity, int* error
    )
    int vk_receive_batch(
        vk_socket fd, uint8_t* arena, size_t slot_size, uint32_t* sizes, int capacity, int* error
    )
