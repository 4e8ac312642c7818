"""Receiving from UDP sockets: what waits there, in one call, into one arena."""

from .._datagrams cimport DatagramBatch

from os import strerror

__all__ = ["BATCHED", "drain", "drain_singly"]

#: Whether `drain` takes many datagrams with one system call (recvmmsg: Linux).
BATCHED = VK_RECVMMSG != 0

# The GIL is kept: the calls never wait, and who gives it up to a thread that computes gets
# it back after 5 ms, a thousand times what receiving takes.


def drain(vk_socket fd, DatagramBatch batch not None):
    """Replace what is in ``batch`` by the datagrams that wait on ``fd``, at most its capacity.

    Return how many; 0: none. Never waits. A full batch says that there may be more. What ICMP
    reported of datagrams sent earlier is skipped. Raises `OSError` when the socket is broken.
    """
    cdef int error = 0
    cdef int count = vk_receive_batch(
        fd, batch.arena, <size_t> batch.slot_size, batch.sizes, batch.capacity, &error
    )
    return _filled(batch, count, error)


def drain_singly(vk_socket fd, DatagramBatch batch not None):
    """Do what `drain` does where there is no recvmmsg: one system call for each datagram."""
    cdef int error = 0
    cdef int count = vk_receive_singly(
        fd, batch.arena, <size_t> batch.slot_size, batch.sizes, batch.capacity, &error
    )
    return _filled(batch, count, error)


cdef int _filled(DatagramBatch batch, int count, int error) except -1:
    if count < 0:
        batch.count = 0
        raise OSError(error, strerror(error))
    batch.count = count
    return count
