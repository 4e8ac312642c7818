/* Receiving what waits on a non-blocking datagram socket, with as few calls as the system allows. */
#ifndef VOICEKIT_NET_RECEIVE_H
#define VOICEKIT_NET_RECEIVE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#include <winsock2.h>
typedef SOCKET vk_socket;
typedef int vk_received;
#define VK_SOCKET_ERROR WSAGetLastError()
#define VK_WOULD_BLOCK(e) ((e) == WSAEWOULDBLOCK)
#define VK_INTERRUPTED(e) ((e) == WSAEINTR)
#define VK_ICMP(e) ((e) == WSAECONNREFUSED || (e) == WSAECONNRESET || \
                    (e) == WSAEHOSTUNREACH || (e) == WSAENETUNREACH || (e) == WSAENETRESET)
#define VK_DONTWAIT 0
#else
#include <sys/socket.h>
#include <sys/types.h>
typedef int vk_socket;
typedef ssize_t vk_received;
#define VK_SOCKET_ERROR errno
#define VK_WOULD_BLOCK(e) ((e) == EAGAIN || (e) == EWOULDBLOCK)
#define VK_INTERRUPTED(e) ((e) == EINTR)
#define VK_ICMP(e) ((e) == ECONNREFUSED || (e) == ECONNRESET || \
                    (e) == EHOSTUNREACH || (e) == ENETUNREACH)
#define VK_DONTWAIT MSG_DONTWAIT
#endif

#if defined(__linux__) && !defined(VOICEKIT_PORTABLE)
#define VK_RECVMMSG 1
#else
#define VK_RECVMMSG 0
#endif

/* What earlier datagrams met on their way (ICMP) is reported by a later call, which thereby
 * takes it away; it says nothing about the socket, and datagrams may wait behind it. Bounded,
 * so that nobody's ICMP keeps a thread here. */
#define VK_ERRORS_TAKEN 64

/* Both return how many slots they filled, or -1 with the system's number in *error. A socket
 * that breaks behind datagrams already taken says so at the next call. */

static int vk_receive_singly(vk_socket fd, uint8_t *arena, size_t slot_size, uint32_t *sizes,
                             int capacity, int *error) {
    int count = 0, errors = 0;
    while (count < capacity) {
        vk_received got = recv(fd, (char *)(arena + (size_t)count * slot_size),
#if defined(_WIN32)
                               (int)slot_size,
#else
                               slot_size,
#endif
                               VK_DONTWAIT);
        if (got >= 0) {
            sizes[count++] = (uint32_t)got;
            continue;
        }
        *error = VK_SOCKET_ERROR;
        if (VK_WOULD_BLOCK(*error)) break;
        if ((VK_ICMP(*error) || VK_INTERRUPTED(*error)) && ++errors < VK_ERRORS_TAKEN) continue;
        return count > 0 ? count : -1;
    }
    return count;
}

#if VK_RECVMMSG
#include <string.h>

/* A call that finds one datagram, the usual case, should not prepare for sixty-four. */
#define VK_ROUND 16

static int vk_receive_batch(vk_socket fd, uint8_t *arena, size_t slot_size, uint32_t *sizes,
                            int capacity, int *error) {
    struct mmsghdr messages[VK_ROUND];
    struct iovec slots[VK_ROUND];
    int count = 0, errors = 0;
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < VK_ROUND; i++) {
        messages[i].msg_hdr.msg_iov = &slots[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (count < capacity) {
        int wanted = capacity - count < VK_ROUND ? capacity - count : VK_ROUND;
        for (int i = 0; i < wanted; i++) {
            slots[i].iov_base = arena + (size_t)(count + i) * slot_size;
            slots[i].iov_len = slot_size;
        }
        int got = recvmmsg(fd, messages, (unsigned)wanted, MSG_DONTWAIT, NULL);
        if (got < 0) {
            *error = errno;
            if (VK_WOULD_BLOCK(*error)) break;
            if ((VK_ICMP(*error) || VK_INTERRUPTED(*error)) && ++errors < VK_ERRORS_TAKEN) continue;
            return count > 0 ? count : -1;
        }
        for (int i = 0; i < got; i++) sizes[count + i] = messages[i].msg_len;
        count += got;
        /* Fewer than asked for: none was left, or an error stands in the queue, which the
         * next readiness reports. */
        if (got < wanted) break;
    }
    return count;
}
#else
#define vk_receive_batch vk_receive_singly
#endif

#endif
