/* What the pacer asks of the platform: a thread, a clock, a lock, a socket.
 *
 * VK_THREADS is 0 where there is nothing of the kind that we know (Windows), and in the
 * portable build. There the pacer is a Python thread, and all of this runs under the GIL.
 */
#ifndef VOICEKIT_PACER_THREADS_H
#define VOICEKIT_PACER_THREADS_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* pthread_setaffinity_np */
#endif

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) || defined(VOICEKIT_PORTABLE)
#define VK_THREADS 0
#else
#define VK_THREADS 1
#endif

/* -- a counter with one writer at a time and any readers; half the size of vk_atomic -- */

#if VK_THREADS
static inline uint32_t vk_load32(const uint32_t *a) { return __atomic_load_n(a, __ATOMIC_RELAXED); }
static inline void vk_count32(uint32_t *a) {
    __atomic_store_n(a, vk_load32(a) + 1, __ATOMIC_RELAXED);
}
#else
static inline uint32_t vk_load32(const uint32_t *a) { return *a; }
static inline void vk_count32(uint32_t *a) { *a += 1; }
#endif

/* -- memory that will be needed soon ---------------------------------------------- */

#define VK_CACHE_LINE 64

static inline void vk_fetch(const void *start, size_t size) {
#if VK_THREADS
    const char *line = (const char *)start;
    const char *end = line + size;
    for (; line < end; line += VK_CACHE_LINE)
        __builtin_prefetch(line);
#else
    (void)start, (void)size;
#endif
}

/* -- a stack that threads push on and one takes whole: no ABA, nobody waits ---------- */

#if VK_THREADS
/* Whether the stack was empty. */
static inline int vk_push(void **top, void *item, void **next) {
    void *old = __atomic_load_n(top, __ATOMIC_RELAXED);
    do {
        *next = old;
    } while (!__atomic_compare_exchange_n(top, &old, item, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    return old == NULL;
}
static inline void *vk_take_all(void **top) {
    return __atomic_exchange_n(top, NULL, __ATOMIC_ACQUIRE);
}
#else
static inline int vk_push(void **top, void *item, void **next) {
    *next = *top;
    *top = item;
    return *next == NULL;
}
static inline void *vk_take_all(void **top) {
    void *all = *top;
    *top = NULL;
    return all;
}
#endif

#if VK_THREADS

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define VK_SECOND 1000000000LL

/* -- the clock: that of time.monotonic() ------------------------------------------- */

static inline int64_t vk_now(void) {
#ifdef __APPLE__
    return (int64_t)clock_gettime_nsec_np(CLOCK_UPTIME_RAW);
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * VK_SECOND + t.tv_nsec;
#endif
}

static inline struct timespec vk_timespec(int64_t ns) {
    struct timespec t;
    t.tv_sec = (time_t)(ns / VK_SECOND);
    t.tv_nsec = (long)(ns % VK_SECOND);
    return t;
}

static inline void vk_nap(int64_t ns) {
    struct timespec t = vk_timespec(ns);
    nanosleep(&t, NULL);
}

/* Sleep to an absolute time. Whoever calls it looks at the clock again. */
static inline void vk_sleep_until(int64_t ns) {
#ifdef __APPLE__
    int64_t left = ns - vk_now();
    if (left > 0)
        vk_nap(left);
#else
    struct timespec t = vk_timespec(ns);
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
#endif
}

/* -- a lock, and a sleep that another thread can end --------------------------------- */

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} vk_lock_t;

static inline void vk_lock_init(vk_lock_t *lock) {
    pthread_condattr_t attributes;
    pthread_mutex_init(&lock->mutex, NULL);
    pthread_condattr_init(&attributes);
#ifndef __APPLE__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&lock->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}
static inline void vk_lock_destroy(vk_lock_t *lock) {
    pthread_cond_destroy(&lock->changed);
    pthread_mutex_destroy(&lock->mutex);
}
static inline void vk_lock(vk_lock_t *lock) { pthread_mutex_lock(&lock->mutex); }
static inline void vk_unlock(vk_lock_t *lock) { pthread_mutex_unlock(&lock->mutex); }
static inline void vk_signal(vk_lock_t *lock) { pthread_cond_signal(&lock->changed); }
static inline void vk_wait(vk_lock_t *lock) {
    pthread_cond_wait(&lock->changed, &lock->mutex);
}
static inline void vk_wait_until(vk_lock_t *lock, int64_t ns) {
#ifdef __APPLE__
    int64_t left = ns - vk_now();
    struct timespec t = vk_timespec(left > 0 ? left : 0);
    pthread_cond_timedwait_relative_np(&lock->changed, &lock->mutex, &t);
#else
    struct timespec t = vk_timespec(ns);
    pthread_cond_timedwait(&lock->changed, &lock->mutex, &t);
#endif
}

/* -- a thread ------------------------------------------------------------------------ */

typedef pthread_t vk_thread_t;

/* It needs a few hundred bytes of stack, and libsodium's. */
#define VK_STACK_SIZE (256 * 1024)

/* 0, or an error number. No signal is ever delivered to the thread. */
static inline int vk_thread_start(vk_thread_t *thread, void *(*run)(void *), void *argument) {
    pthread_attr_t attributes;
    sigset_t all, before;
    int answer;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, VK_STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    answer = pthread_create(thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return answer;
}
static inline void vk_thread_join(vk_thread_t thread) { pthread_join(thread, NULL); }

/* What a thread runs at a time, at the least that Linux takes: 0.1 ms. */
#define VK_SLICE_NS 100000

/* Called by the thread itself. Linux wakes ordinary threads 50 us late, to save power; and lets
 * one that is awake finish its slice of some milliseconds before another that has just woken,
 * but not before one that has asked for a shorter slice (since 6.12; older kernels ignore it,
 * see sched_setattr(2)). The share of the processor stays the same. */
static inline void vk_thread_be_punctual(void) {
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    prctl(PR_SET_NAME, "voicekit-pacer", 0UL, 0UL, 0UL);
#if defined(SYS_sched_getattr) && defined(SYS_sched_setattr)
    struct { /* glibc before 2.41 has none */
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes;
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0 &&
        attributes.policy == SCHED_OTHER) {
        attributes.runtime = VK_SLICE_NS;
        (void)!syscall(SYS_sched_setattr, 0, &attributes, 0);
    }
#endif
#endif
}

/* 0, or an error number; ENOTSUP where threads are not pinned. */
static inline int vk_thread_pin(vk_thread_t thread, int cpu) {
#ifdef __linux__
    cpu_set_t set;
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return EINVAL;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return pthread_setaffinity_np(thread, sizeof set, &set);
#else
    (void)thread;
    (void)cpu;
    return ENOTSUP;
#endif
}

/* 0, or an error number. SCHED_RR, with the lowest priority of its kind: before all ordinary
 * threads, at once, but never for long, since it sleeps again as soon as it has sent. */
static inline int vk_thread_make_realtime(vk_thread_t thread) {
    struct sched_param parameters;
    memset(&parameters, 0, sizeof parameters);
    parameters.sched_priority = sched_get_priority_min(SCHED_RR);
    return pthread_setschedparam(thread, SCHED_RR, &parameters);
}

/* Nanoseconds of processor time that a running thread has used; 0 where unknown. */
static inline int64_t vk_thread_cpu(vk_thread_t thread) {
#ifdef __linux__
    clockid_t clock;
    struct timespec t;
    if (pthread_getcpuclockid(thread, &clock) || clock_gettime(clock, &t))
        return 0;
    return (int64_t)t.tv_sec * VK_SECOND + t.tv_nsec;
#else
    (void)thread;
    return 0;
#endif
}

/* -- sockets -------------------------------------------------------------------------- */

/* What an earlier datagram met on its way (ICMP): the call that reports it has sent nothing. */
static inline int vk_is_icmp(int error) {
    return error == ECONNREFUSED || error == ECONNRESET || error == EHOSTUNREACH ||
           error == ENETUNREACH;
}

/* 0, or an error number. Never waits. */
static inline int vk_send(int fd, const uint8_t *data, size_t size) {
    int retried = 0;
    for (;;) {
        if (send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR && (retried++ || !vk_is_icmp(errno)))
            return errno;
    }
}

/* Make a non-blocking eventfd or socket readable; when it is full, it is readable already. */
static inline void vk_make_readable(int fd) {
    static const uint64_t one = 1;
    ssize_t written;
    do {
        written = write(fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
}

#else /* everything under the GIL */

typedef int vk_lock_t;
typedef int vk_thread_t;

static inline int64_t vk_now(void) { return 0; }
static inline void vk_nap(int64_t ns) { (void)ns; }
static inline void vk_sleep_until(int64_t ns) { (void)ns; }
static inline void vk_lock_init(vk_lock_t *lock) { *lock = 0; }
static inline void vk_lock_destroy(vk_lock_t *lock) { (void)lock; }
static inline void vk_lock(vk_lock_t *lock) { (void)lock; }
static inline void vk_unlock(vk_lock_t *lock) { (void)lock; }
static inline void vk_signal(vk_lock_t *lock) { (void)lock; }
static inline void vk_wait(vk_lock_t *lock) { (void)lock; }
static inline void vk_wait_until(vk_lock_t *lock, int64_t ns) { (void)lock, (void)ns; }
static inline int vk_thread_start(vk_thread_t *thread, void *(*run)(void *), void *argument) {
    (void)thread, (void)run, (void)argument;
    return -1;
}
static inline void vk_thread_join(vk_thread_t thread) { (void)thread; }
static inline void vk_thread_be_punctual(void) {}
static inline int vk_thread_pin(vk_thread_t thread, int cpu) {
    (void)thread, (void)cpu;
    return -1;
}
static inline int vk_thread_make_realtime(vk_thread_t thread) {
    (void)thread;
    return -1;
}
static inline int64_t vk_thread_cpu(vk_thread_t thread) {
    (void)thread;
    return 0;
}
static inline int vk_send(int fd, const uint8_t *data, size_t size) {
    (void)fd, (void)data, (void)size;
    return -1;
}
static inline void vk_make_readable(int fd) { (void)fd; }

#endif
#endif
