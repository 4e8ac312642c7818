# RTCP: what other Cython modules may call.

from libc.stdint cimport uint8_t

from ._crypto cimport TransportCipher


# Opens a sealed compound packet into `plain` (at least `size` bytes). Returns the length of
# the plain compound packet, or minus one of the DROP_* of _rtp.pxd. `cipher` may be None.
cdef Py_ssize_t open_rtcp_c(TransportCipher cipher, const uint8_t* data, Py_ssize_t size,
                            uint8_t* plain) noexcept

# The packets of a plain compound packet; None when it is malformed.
cdef tuple parse_compound_c(const uint8_t* data, Py_ssize_t size)
