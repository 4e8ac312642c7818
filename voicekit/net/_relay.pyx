"""Media that nobody opens: counted, and passed on as it is, in a thread without the GIL.

What a measurement wants of a voice server: to cost so little that it is not what is measured.
A datagram costs a microsecond to take in and two to pass on, however many sessions there are
and whatever their Python is doing. Linux only (recvmmsg and sendmmsg); elsewhere the server
does the same in Python.
"""

import os

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pythread cimport (
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    WAIT_LOCK,
)
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset

from .._wire cimport load_be16, load_be32

cdef extern from "<time.h>" nogil:
    struct timespec:
        int64_t tv_sec
        long tv_nsec

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        pass
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags
    struct cmsghdr:
        int cmsg_level
        int cmsg_type
    int SOL_SOCKET
    int SO_TIMESTAMPNS
    int SCM_TIMESTAMPNS
    cmsghdr* CMSG_FIRSTHDR(msghdr* message)
    unsigned char* CMSG_DATA(cmsghdr* item)
    int setsockopt(int fd, int level, int name, const void* value, unsigned int size)
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    int AF_INET
    int AF_INET6
    int MSG_DONTWAIT
    int MSG_TRUNC
    int recvmmsg(int fd, mmsghdr* messages, unsigned int count, int flags, void* timeout)
    int sendmmsg(int fd, mmsghdr* messages, unsigned int count, int flags)

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        in6_addr sin6_addr

cdef extern from "<arpa/inet.h>" nogil:
    unsigned short htons(unsigned short port)
    unsigned short ntohs(unsigned short port)
    int inet_pton(int family, const char* text, void* address)
    const char* inet_ntop(int family, const void* address, char* text, unsigned int size)

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    short POLLIN
    int poll(pollfd* fds, unsigned long count, int timeout)

cdef extern from "<unistd.h>" nogil:
    int usleep(unsigned int microseconds)

__all__ = ["Relay", "Route"]

cdef enum:
    BATCH = 128             # datagrams per recvmmsg
    SLOT = 2112             # above `ServerConfig.max_datagram_size`: what is cut off is too long
    OUT = 256               # datagrams per sendmmsg
    ROUNDS = 16             # batches before we look whether we are to stop
    SHORTEST_MEDIA = 12     # an RTP header; keepalives are shorter
    CONTROL = 64            # for the kernel's time stamp: a header of 16 bytes and 16 more
    FIRST_RTCP = 200        # packet types 200 to 207 are in the place of payload types 72 to 79
    LAST_RTCP = 207
    MIN_BUCKETS = 64
    # Microseconds between rounds: a socket buffer of 200 KiB holds 250 datagrams of audio, more
    # than come in that time, and batches make it cheap.
    PAUSE = 250

ctypedef struct Frame:
    uint8_t[BATCH][SLOT] arena
    mmsghdr[BATCH] incoming
    iovec[BATCH] slots
    SocketAddress[BATCH] sources
    uint8_t[BATCH][CONTROL] control
    int[BATCH] strange      # indices of what Python is to see
    int strange_count
    mmsghdr[OUT] outgoing
    iovec[OUT] payloads
    RouteEntry* senders[OUT]


@cython.final
@cython.auto_pickle(False)
cdef class Route:
    """One source of media, and who is to have it. `Relay.add` makes them."""

    def __init__(self, *args, **kwargs):
        raise TypeError("Relay.add makes routes")

    @property
    def received(self):
        """Datagrams of audio and RTCP from the source. Any thread."""
        return 0 if self.entry is NULL else vk_atomic_load(&self.entry.received)

    @property
    def passed(self):
        """Datagrams passed on: one for each receiver. Any thread."""
        return 0 if self.entry is NULL else vk_atomic_load(&self.entry.passed)

    @property
    def unsent(self):
        """Datagrams that the operating system did not take. Any thread."""
        return 0 if self.entry is NULL else vk_atomic_load(&self.entry.unsent)

    def set_targets(self, addresses):
        """Pass on to these (host, port) from now on. ValueError: no address."""
        cdef Py_ssize_t count = len(addresses)
        cdef SocketAddress* targets = NULL
        cdef SocketAddress* former
        if count:
            targets = <SocketAddress*> calloc(count, sizeof(SocketAddress))
            if targets is NULL:
                raise MemoryError
        try:
            for index, address in enumerate(addresses):
                _parse(address, &targets[<Py_ssize_t> index])
        except BaseException:
            free(targets)
            raise
        PyThread_acquire_lock(self.relay.lock, WAIT_LOCK)
        former, self.entry.targets = self.entry.targets, targets
        self.entry.target_count = <int> count
        PyThread_release_lock(self.relay.lock)
        free(former)

    def close(self):
        """Know the source no more; the counts stay. Idempotent."""
        self.relay.unlink(self.entry)

    def __dealloc__(self):
        if self.entry is not NULL:
            self.relay.unlink(self.entry)
            free(self.entry.targets)
            free(self.entry)


@cython.final
@cython.auto_pickle(False)
cdef class Relay:
    """Takes what arrives at a UDP socket, for as long as `run` runs in a thread of its own.

    ``fd`` is a bound UDP socket that nobody else reads; it stays its owner's to close,
    after `run` has returned. ``log``: how many RTP packets to note down, see `arrivals`.
    """

    def __cinit__(self, int fd, size_t log=0):
        cdef int on = 1
        self.fd = fd
        self.wake_read = self.wake_write = -1
        self.lock = PyThread_allocate_lock()
        self.frame = calloc(1, sizeof(Frame))
        self.bucket_count = MIN_BUCKETS
        self.buckets = <RouteEntry**> calloc(MIN_BUCKETS, sizeof(void*))
        if self.lock is NULL or self.frame is NULL or self.buckets is NULL:
            raise MemoryError
        if log:
            self.arrival_limit = log
            self.log = <Arrival*> calloc(log, sizeof(Arrival))  # untouched memory costs nothing
            if self.log is NULL:
                raise MemoryError
            if setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0:
                raise OSError(errno, "the kernel stamps no datagrams")
        self.wake_read, self.wake_write = os.pipe()

    def __dealloc__(self):
        free(self.log)
        if self.wake_read >= 0:
            os.close(self.wake_read)
            os.close(self.wake_write)
        if self.lock is not NULL:
            PyThread_free_lock(self.lock)
        free(self.frame)
        free(self.buckets)

    def add(self, address):
        """Know (host, port) as a source, for as long as its `Route` is kept and not closed.

        It has no receivers as yet. ValueError: no address, or one that is known.
        """
        cdef Route route = Route.__new__(Route)
        cdef SocketAddress source
        memset(&source, 0, sizeof(source))
        _parse(address, &source)
        if self.find(&source) is not NULL:
            raise ValueError(f"{address} has a route")
        route.relay = self
        route.address = (address[0], address[1])
        route.entry = <RouteEntry*> calloc(1, sizeof(RouteEntry))
        if route.entry is NULL:
            raise MemoryError
        route.entry.source = source
        if 2 * self.route_count >= self.bucket_count:
            self.grow()
        self.link(route.entry)
        return route

    def run(self, take):
        """Count and pass on until `stop`.

        ``take`` is called, in this thread, with a list of (data, (host, port)): all that is
        not media of a known source, such as IP discovery and keepalives.
        """
        cdef pollfd[2] watched
        cdef Frame* frame = <Frame*> self.frame
        cdef int count, _
        memset(watched, 0, sizeof(watched))
        watched[0].fd, watched[1].fd = self.fd, self.wake_read
        watched[0].events = watched[1].events = POLLIN
        with nogil:
            while True:
                if poll(watched, 2, -1) < 0 and errno != EINTR:
                    break
                if watched[1].revents:
                    break
                for _ in range(ROUNDS):
                    count = _receive(self.fd, frame)
                    if count <= 0:
                        break
                    self.relay_batch(count)
                    if frame.strange_count:
                        with gil:
                            take(self.strangers(frame.strange_count))
                    if count < BATCH:
                        break
                usleep(PAUSE)

    def arrivals(self):
        """Return the log, which is whole when `run` has returned.

        16 bytes for each RTP packet of a known source, in the byte order of the machine, as
        `struct` has it: ``=qIHH``: when the kernel had it (nanoseconds since 1970, as
        `time.time_ns`), SSRC, sequence number, size in bytes.
        """
        cdef size_t count = self.arrival_count
        return PyBytes_FromStringAndSize(<char*> self.log, count * sizeof(Arrival))

    def stop(self):
        """Let `run` return, within a millisecond or so. Any thread; idempotent."""
        os.write(self.wake_write, b"!")

    def __len__(self):
        return self.route_count

    # -- routes: a hash table, chained -----------------------------------------------

    cdef RouteEntry* find(self, const SocketAddress* source) noexcept nogil:
        cdef RouteEntry* entry = self.buckets[_hash(source) & (self.bucket_count - 1)]
        while entry is not NULL:
            if entry.source.size == source.size:
                if memcmp(entry.source.data, source.data, source.size) == 0:
                    return entry
            entry = entry.next
        return NULL

    cdef int link(self, RouteEntry* entry) except -1:
        cdef size_t bucket = _hash(&entry.source) & (self.bucket_count - 1)
        PyThread_acquire_lock(self.lock, WAIT_LOCK)
        entry.next = self.buckets[bucket]
        self.buckets[bucket] = entry
        self.route_count += 1
        PyThread_release_lock(self.lock)
        return 0

    cdef void unlink(self, RouteEntry* entry) noexcept:
        cdef RouteEntry** place
        PyThread_acquire_lock(self.lock, WAIT_LOCK)
        place = &self.buckets[_hash(&entry.source) & (self.bucket_count - 1)]
        while place[0] is not NULL:
            if place[0] is entry:
                place[0] = entry.next
                self.route_count -= 1
                break
            place = &place[0].next
        PyThread_release_lock(self.lock)

    cdef int grow(self) except -1:
        cdef size_t count = 2 * self.bucket_count
        cdef size_t index, bucket
        cdef RouteEntry* entry
        cdef RouteEntry* following
        cdef RouteEntry** former = self.buckets
        cdef RouteEntry** buckets = <RouteEntry**> calloc(count, sizeof(void*))
        if buckets is NULL:
            raise MemoryError
        PyThread_acquire_lock(self.lock, WAIT_LOCK)
        for index in range(self.bucket_count):
            entry = former[index]
            while entry is not NULL:
                following = entry.next
                bucket = _hash(&entry.source) & (count - 1)
                entry.next = buckets[bucket]
                buckets[bucket] = entry
                entry = following
        self.buckets, self.bucket_count = buckets, count
        PyThread_release_lock(self.lock)
        free(former)
        return 0

    # -- one batch -------------------------------------------------------------------

    cdef int relay_batch(self, int count) noexcept nogil:
        """Count and pass on what has a route; note the indices of all else."""
        cdef Frame* frame = <Frame*> self.frame
        cdef RouteEntry* entry
        cdef int index, target, out = 0
        frame.strange_count = 0
        PyThread_acquire_lock(self.lock, WAIT_LOCK)
        for index in range(count):
            frame.sources[index].size = frame.incoming[index].msg_hdr.msg_namelen
            entry = self.find(&frame.sources[index]) if _is_media(frame, index) else NULL
            if entry is NULL:
                frame.strange[frame.strange_count] = index
                frame.strange_count += 1
                continue
            vk_atomic_store(&entry.received, vk_atomic_load(&entry.received) + 1)
            if self.arrival_count < self.arrival_limit:
                self.note(index)
            for target in range(entry.target_count):
                frame.payloads[out].iov_base = frame.arena[index]
                frame.payloads[out].iov_len = frame.incoming[index].msg_len
                frame.outgoing[out].msg_hdr.msg_name = entry.targets[target].data
                frame.outgoing[out].msg_hdr.msg_namelen = entry.targets[target].size
                frame.outgoing[out].msg_hdr.msg_iov = &frame.payloads[out]
                frame.outgoing[out].msg_hdr.msg_iovlen = 1
                frame.senders[out] = entry
                out += 1
                if out == OUT:
                    self.send_batch(out)
                    out = 0
        self.send_batch(out)
        PyThread_release_lock(self.lock)
        return frame.strange_count

    cdef void note(self, int index) noexcept nogil:
        """Write one RTP packet into the log."""
        cdef Frame* frame = <Frame*> self.frame
        cdef const uint8_t* data = frame.arena[index]
        cdef Arrival* arrival = &self.log[self.arrival_count]
        if FIRST_RTCP <= data[1] <= LAST_RTCP:
            return
        arrival.realtime = _stamp(&frame.incoming[index].msg_hdr)
        arrival.ssrc = load_be32(data + 8)
        arrival.sequence = load_be16(data + 2)
        arrival.size = <uint16_t> frame.incoming[index].msg_len
        self.arrival_count += 1

    cdef void send_batch(self, int count) noexcept nogil:
        cdef Frame* frame = <Frame*> self.frame
        cdef RouteEntry* entry
        cdef int sent, index, done = 0
        while done < count:
            sent = sendmmsg(self.fd, &frame.outgoing[done], count - done, MSG_DONTWAIT)
            if sent < 0 and errno == EINTR:
                continue
            if sent <= 0:  # this one is lost, as datagrams may be; the others have their try
                entry = frame.senders[done]
                vk_atomic_store(&entry.unsent, vk_atomic_load(&entry.unsent) + 1)
                done += 1
                continue
            for index in range(done, done + sent):
                entry = frame.senders[index]
                vk_atomic_store(&entry.passed, vk_atomic_load(&entry.passed) + 1)
            done += sent

    cdef list strangers(self, int count):
        cdef Frame* frame = <Frame*> self.frame
        cdef int number, index
        cdef list found = []
        for number in range(count):
            index = frame.strange[number]
            data = frame.arena[index][:frame.incoming[index].msg_len]
            found.append((data, _format(&frame.sources[index])))
        return found


cdef int _receive(int fd, Frame* frame) noexcept nogil:
    """Fill the arena; return the number of datagrams, below 1 for none."""
    cdef int index, count
    for index in range(BATCH):
        frame.slots[index].iov_base = frame.arena[index]
        frame.slots[index].iov_len = SLOT
        frame.incoming[index].msg_hdr.msg_name = frame.sources[index].data
        frame.incoming[index].msg_hdr.msg_namelen = sizeof(frame.sources[index].data)
        frame.incoming[index].msg_hdr.msg_iov = &frame.slots[index]
        frame.incoming[index].msg_hdr.msg_iovlen = 1
        frame.incoming[index].msg_hdr.msg_control = frame.control[index]
        frame.incoming[index].msg_hdr.msg_controllen = CONTROL
    count = recvmmsg(fd, frame.incoming, BATCH, MSG_DONTWAIT, NULL)
    return count


cdef inline bint _is_media(Frame* frame, int index) noexcept nogil:
    """Whether it looks like RTP or RTCP (version 2) and is all there."""
    return (
        frame.incoming[index].msg_len >= SHORTEST_MEDIA
        and frame.arena[index][0] & 0xC0 == 0x80
        and not frame.incoming[index].msg_hdr.msg_flags & MSG_TRUNC
    )


cdef inline int64_t _stamp(msghdr* message) noexcept nogil:
    """When the kernel had the datagram; 0: it does not say."""
    cdef cmsghdr* item = CMSG_FIRSTHDR(message)
    cdef timespec* when
    if item is NULL or item.cmsg_level != SOL_SOCKET or item.cmsg_type != SCM_TIMESTAMPNS:
        return 0
    when = <timespec*> CMSG_DATA(item)
    return when.tv_sec * 1_000_000_000 + when.tv_nsec


cdef inline size_t _hash(const SocketAddress* address) noexcept nogil:
    """FNV-1a over the bytes: most sources differ in the port alone."""
    cdef uint32_t value = 2166136261
    cdef unsigned int index
    for index in range(address.size):
        value = (value ^ address.data[index]) * 16777619
    return value


cdef int _parse(object address, SocketAddress* out) except -1:
    cdef sockaddr_in* four = <sockaddr_in*> out.data
    cdef sockaddr_in6* six = <sockaddr_in6*> out.data
    cdef bytes host = address[0].partition("%")[0].encode()
    cdef int port = address[1]
    if not 0 <= port <= 0xFFFF:
        raise ValueError(f"{address} is no address")
    if inet_pton(AF_INET, host, &four.sin_addr) == 1:
        four.sin_family, four.sin_port = <unsigned short> AF_INET, htons(<unsigned short> port)
        out.size = sizeof(sockaddr_in)
    elif inet_pton(AF_INET6, host, &six.sin6_addr) == 1:
        six.sin6_family, six.sin6_port = <unsigned short> AF_INET6, htons(<unsigned short> port)
        out.size = sizeof(sockaddr_in6)
    else:
        raise ValueError(f"{address} is no address")
    return 0


cdef tuple _format(const SocketAddress* address):
    cdef char[64] text
    cdef const sockaddr_in* four = <const sockaddr_in*> address.data
    cdef const sockaddr_in6* six = <const sockaddr_in6*> address.data
    if four.sin_family == AF_INET:
        inet_ntop(AF_INET, &four.sin_addr, text, sizeof(text))
        return (<bytes> text).decode(), ntohs(four.sin_port)
    inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof(text))
    return (<bytes> text).decode(), ntohs(six.sin6_port)
