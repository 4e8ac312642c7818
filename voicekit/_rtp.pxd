# RTP packets: what other Cython modules may call. The wire formats are drawn in _rtp.pyx.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, int32_t

from ._crypto cimport TransportCipher
from ._wire cimport store_be16, store_be32


cdef enum:
    FIXED_HEADER = 12       # without CSRCs and extension
    RTCP_HEADER = 8         # what rtpsize modes leave clear of RTCP
    OPUS = 120              # the payload type of audio
    NO_EXTENSION = -1       # PacketView.extension_profile without the X bit
    KEEPALIVE_SIZE = 8


# What a datagram is, told from its clear bytes. Values of `PacketKind`.
cdef enum Kind:
    KIND_RTP
    KIND_RTCP
    KIND_DISCOVERY
    KIND_KEEPALIVE
    KIND_UNKNOWN


# Every voicekit.codes.DropReason, in its order, from 1; DROP_REASONS[n - 1] is the member.
cdef enum Drop:
    DROP_NONE = 0
    DROP_TOO_SHORT
    DROP_BAD_VERSION
    DROP_STALE_LINK
    DROP_KEEPALIVE
    DROP_DISCOVERY
    DROP_NO_KEY
    DROP_PAYLOAD_TYPE
    DROP_BAD_HEADER
    DROP_BAD_TAG
    DROP_BAD_EXTENSION
    DROP_BAD_PADDING
    DROP_EMPTY
    DROP_OWN_SSRC
    DROP_TOO_MANY_SSRCS
    DROP_DUPLICATE
    DROP_BAD_RTCP
    DROP_UNKNOWN_SSRC
    DROP_HOLD_OVERFLOW
    DROP_QUEUE_OVERFLOW
    DROP_UNDECRYPTABLE
    DROP_USER_LEFT
    DROP_NOT_READY
    DROP_BAD_FRAME
    DROP_NONCE_EXHAUSTED
    DROP_COUNT              # one more than the last
    # Answer of open_packet_c that is no drop: hand the datagram to _rtcp.open_rtcp.
    IS_RTCP = 255


# A packet taken apart; pointers reach into the datagram and into `plain`.
cdef struct PacketView:
    Py_ssize_t header_size      # clear bytes; 0: not even the fixed header was read
    bint marker
    uint8_t payload_type
    uint16_t sequence
    uint32_t timestamp
    uint32_t ssrc
    int csrc_count
    const uint8_t* csrcs        # 4 big-endian bytes each
    int32_t extension_profile   # NO_EXTENSION without one
    const uint8_t* extension    # its body
    Py_ssize_t extension_len
    const uint8_t* payload
    Py_ssize_t payload_len
    Py_ssize_t padding          # bytes removed behind the payload
    uint32_t nonce              # the suffix, big-endian; 0 for a plain packet


cdef Kind demux_c(const uint8_t* data, Py_ssize_t size) noexcept nogil

# The receive order. DROP_NONE: `view` is complete. Any other answer but IS_RTCP: drop the
# datagram for that reason; ssrc, sequence and timestamp are set if header_size is not 0.
# `plain` is scratch of at least `size` bytes and must outlive the view. `cipher` may be
# None (no key yet).
cdef int open_packet_c(TransportCipher cipher, const uint8_t* data, Py_ssize_t size,
                       uint8_t* plain, PacketView* view) noexcept nogil


# Turns a negative answer of seal_c into its exception.
cdef int raise_unless_sealed(int answer) except -1


# The fixed header without CSRC, extension, padding: 12 bytes at `out`.
cdef inline void store_header(uint8_t* out, bint marker, uint8_t payload_type,
                              uint16_t sequence, uint32_t timestamp,
                              uint32_t ssrc) noexcept nogil:
    out[0] = 0x80
    out[1] = (0x80 if marker else 0) | payload_type
    store_be16(out + 2, sequence)
    store_be32(out + 4, timestamp)
    store_be32(out + 8, ssrc)


cdef class RtpPacket:
    cdef readonly bint marker
    cdef readonly int payload_type
    cdef readonly int sequence
    cdef readonly uint32_t timestamp
    cdef readonly uint32_t ssrc
    cdef readonly tuple csrcs
    cdef readonly object extension_profile
    cdef readonly bytes extension_body
    cdef readonly Py_ssize_t padding
    cdef readonly bytes payload
    cdef readonly object nonce
    cdef readonly Py_ssize_t header_size
