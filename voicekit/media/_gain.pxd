# Volume: what other Cython modules (a mixer) may call.

# Where the curve leaves the straight line, for a gain above 1; 1 means nowhere.
cdef float knee_of(float gain) noexcept nogil
# Full scale is 1. The straight line up to the knee, then a bend that never passes 1.
cdef float soft_clip(float sample, float knee) noexcept nogil
