from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


# A socket address as the kernel writes it: sockaddr_in (16 bytes) or sockaddr_in6 (28).
cdef struct SocketAddress:
    unsigned int size
    uint8_t[28] data


cdef extern from "_platform.h" nogil:
    ctypedef uint64_t vk_atomic
    uint64_t vk_atomic_load(vk_atomic* a)
    void vk_atomic_store(vk_atomic* a, uint64_t v)


cdef struct RouteEntry:
    RouteEntry* next          # in the same bucket
    SocketAddress source
    SocketAddress* targets
    int target_count
    vk_atomic received        # one writer, the relay's thread; any reader
    vk_atomic passed
    vk_atomic unsent


# A line of the log: which packet of which source, and when the kernel had it.
cdef struct Arrival:
    int64_t realtime          # nanoseconds since 1970
    uint32_t ssrc
    uint16_t sequence
    uint16_t size


cdef class Route:
    cdef RouteEntry* entry
    cdef readonly Relay relay
    cdef readonly tuple address


cdef class Relay:
    cdef RouteEntry** buckets
    cdef size_t bucket_count  # a power of two
    cdef size_t route_count
    cdef Arrival* log
    cdef size_t arrival_count
    cdef size_t arrival_limit
    cdef void* lock           # guards the routes; never held while waiting for the GIL
    cdef void* frame          # `Frame` of _relay.pyx: the arena and its message headers
    cdef int fd
    cdef int wake_read
    cdef int wake_write

    cdef RouteEntry* find(self, const SocketAddress* source) noexcept nogil
    cdef int link(self, RouteEntry* entry) except -1
    cdef void unlink(self, RouteEntry* entry) noexcept
    cdef int grow(self) except -1
    cdef void note(self, int index) noexcept nogil
    cdef int relay_batch(self, int count) noexcept nogil
    cdef void send_batch(self, int count) noexcept nogil
    cdef list strangers(self, int count)
