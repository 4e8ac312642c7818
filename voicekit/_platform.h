/* Every call that differs between platforms and compilers, behind one name each.
 *
 * VOICEKIT_PORTABLE takes the road of a compiler and a system that offer nothing
 * beyond C11: it is how macOS and Windows are tested on Linux.
 */
#ifndef VOICEKIT_PLATFORM_H
#define VOICEKIT_PLATFORM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What exists only as an undocumented export of a library is left alone there. */
#ifdef VOICEKIT_PORTABLE
#define VK_PORTABLE 1
#else
#define VK_PORTABLE 0
#endif

/* How much of ChaCha20's key stream libsodium makes at once: it has vector code for x86 only. */
#if defined(__x86_64__) || defined(_M_X64)
#define VK_CHACHA_STRIDE 256
#else
#define VK_CHACHA_STRIDE 64
#endif

/* -- byte order: the wire is big-endian ----------------------------------- */

#if !defined(VOICEKIT_PORTABLE) && (defined(__GNUC__) || defined(__clang__)) && \
    defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VK_SWAP 1
#endif

static inline uint16_t vk_load_be16(const uint8_t *p) {
    return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}

static inline uint32_t vk_load_be32(const uint8_t *p) {
#ifdef VK_SWAP
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
#else
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
#endif
}

static inline uint64_t vk_load_be64(const uint8_t *p) {
    return (uint64_t)vk_load_be32(p) << 32 | vk_load_be32(p + 4);
}

static inline void vk_store_be16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void vk_store_be32(uint8_t *p, uint32_t v) {
#ifdef VK_SWAP
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
#else
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
#endif
}

static inline void vk_store_be64(uint8_t *p, uint64_t v) {
    vk_store_be32(p, (uint32_t)(v >> 32));
    vk_store_be32(p + 4, (uint32_t)v);
}

/* -- atomics: what several threads read and write without a lock ----------- */

/* Plain names are relaxed: each number stands for itself. `vk_take` and `vk_release` order
 * everything between them, as a lock does, but nobody waits. */
#if defined(_MSC_VER)
#include <intrin.h>
typedef volatile long long vk_atomic;
static inline uint64_t vk_atomic_load(vk_atomic *a) {
    return (uint64_t)_InterlockedCompareExchange64(a, 0, 0);
}
static inline int vk_atomic_cas(vk_atomic *a, uint64_t old, uint64_t new_) {
    return _InterlockedCompareExchange64(a, (long long)new_, (long long)old) == (long long)old;
}
static inline void vk_atomic_store(vk_atomic *a, uint64_t v) {
    _InterlockedExchange64(a, (long long)v);
}
static inline int vk_take(vk_atomic *a) { return _InterlockedExchange64(a, 1) == 0; }
static inline void vk_release(vk_atomic *a) { _InterlockedExchange64(a, 0); }
#elif defined(VOICEKIT_PORTABLE)
#include <stdatomic.h>
typedef _Atomic uint64_t vk_atomic;
static inline uint64_t vk_atomic_load(vk_atomic *a) { return atomic_load(a); }
static inline int vk_atomic_cas(vk_atomic *a, uint64_t old, uint64_t new_) {
    return atomic_compare_exchange_strong(a, &old, new_);
}
static inline void vk_atomic_store(vk_atomic *a, uint64_t v) { atomic_store(a, v); }
static inline int vk_take(vk_atomic *a) { return atomic_exchange(a, 1) == 0; }
static inline void vk_release(vk_atomic *a) { atomic_store(a, 0); }
#else
typedef uint64_t vk_atomic;
static inline uint64_t vk_atomic_load(vk_atomic *a) {
    return __atomic_load_n(a, __ATOMIC_RELAXED);
}
static inline int vk_atomic_cas(vk_atomic *a, uint64_t old, uint64_t new_) {
    return __atomic_compare_exchange_n(a, &old, new_, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
static inline void vk_atomic_store(vk_atomic *a, uint64_t v) {
    __atomic_store_n(a, v, __ATOMIC_RELAXED);
}
static inline int vk_take(vk_atomic *a) {
    return __atomic_exchange_n(a, 1, __ATOMIC_ACQUIRE) == 0;
}
static inline void vk_release(vk_atomic *a) { __atomic_store_n(a, 0, __ATOMIC_RELEASE); }
#endif

static inline void vk_atomic_add(vk_atomic *a, uint64_t n) {
    uint64_t old;
    do {
        old = vk_atomic_load(a);
    } while (!vk_atomic_cas(a, old, old + n));
}

/* For a number with one writer at a time: readers may be anywhere, and it costs no more
 * than a plain addition. */
static inline void vk_atomic_count(vk_atomic *a, uint64_t n) {
    vk_atomic_store(a, vk_atomic_load(a) + n);
}

static inline double vk_atomic_load_double(vk_atomic *a) {
    uint64_t bits = vk_atomic_load(a);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline void vk_atomic_store_double(vk_atomic *a, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    vk_atomic_store(a, bits);
}

#endif
