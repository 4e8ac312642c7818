# Big-endian load and store, and a cursor that can not run past its end.
#
# Everything that reads bytes of strangers goes through these.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "_platform.h" nogil:
    uint16_t load_be16 "vk_load_be16"(const uint8_t* p)
    uint32_t load_be32 "vk_load_be32"(const uint8_t* p)
    uint64_t load_be64 "vk_load_be64"(const uint8_t* p)
    void store_be16 "vk_store_be16"(uint8_t* p, uint16_t v)
    void store_be32 "vk_store_be32"(uint8_t* p, uint32_t v)
    void store_be64 "vk_store_be64"(uint8_t* p, uint64_t v)


# What is left to read. `take` is the only way forward: it answers NULL past the end.
cdef struct Cursor:
    const uint8_t* data
    Py_ssize_t left


cdef inline const uint8_t* take(Cursor* cursor, Py_ssize_t n) noexcept nogil:
    cdef const uint8_t* p = cursor.data
    if n < 0 or n > cursor.left:
        return NULL
    cursor.data += n
    cursor.left -= n
    return p
