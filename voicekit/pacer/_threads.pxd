# What the pacer asks of the platform; each call is described in _threads.h.

from libc.stdint cimport int64_t, uint8_t, uint32_t


cdef extern from "pacer/_threads.h" nogil:
    const bint VK_THREADS

    uint32_t vk_load32(const uint32_t* a)
    void vk_count32(uint32_t* a)

    # Load into the cache, without waiting for it. The address may be any.
    void vk_fetch(const void* start, size_t size)

    bint vk_push(void** top, void* item, void** next)
    void* vk_take_all(void** top)

    int64_t vk_now()
    void vk_nap(int64_t ns)
    void vk_sleep_until(int64_t ns)

    ctypedef struct vk_lock_t:
        pass
    void vk_lock_init(vk_lock_t* lock)
    void vk_lock_destroy(vk_lock_t* lock)
    void vk_lock(vk_lock_t* lock)
    void vk_unlock(vk_lock_t* lock)
    void vk_signal(vk_lock_t* lock)
    void vk_wait(vk_lock_t* lock)
    void vk_wait_until(vk_lock_t* lock, int64_t ns)

    ctypedef struct vk_thread_t:
        pass
    int vk_thread_start(vk_thread_t* thread, void* (*run)(void*) noexcept nogil, void* argument)
    void vk_thread_join(vk_thread_t thread)
    void vk_thread_be_punctual()
    int vk_thread_pin(vk_thread_t thread, int cpu)
    int vk_thread_make_realtime(vk_thread_t thread)
    int64_t vk_thread_cpu(vk_thread_t thread)

    int vk_send(int fd, const uint8_t* data, size_t size)
    void vk_make_readable(int fd)
