# The duration of an Opus packet, read from its first one or two bytes.
#
# RFC 6716 §3.1, the TOC byte:
#
#      0 1 2 3 4 5 6 7
#     +-+-+-+-+-+-+-+-+       config  mode, bandwidth and frame size (table 2)
#     | config  |s| c |       s       stereo
#     +-+-+-+-+-+-+-+-+       c       0: one frame, 1 and 2: two, 3: count in byte 2
#
# §3.2.5, the frame count byte that follows the TOC byte when c = 3:
#
#      0 1 2 3 4 5 6 7
#     +-+-+-+-+-+-+-+-+       v, p    VBR, padding
#     |v|p|     M     |       M       1 to 48 frames
#     +-+-+-+-+-+-+-+-+

from libc.stdint cimport uint8_t, uint16_t


cdef extern from *:
    """
    /* RFC 6716 table 2: samples per frame at 48 kHz, by config. */
    static const uint16_t vk_opus_frame_size[32] = {
        480, 960, 1920, 2880,  480, 960, 1920, 2880,  480, 960, 1920, 2880, /* SILK */
        480, 960,  480, 960,                                               /* hybrid */
        120, 240, 480, 960,  120, 240, 480, 960,                           /* CELT */
        120, 240, 480, 960,  120, 240, 480, 960,
    };
    """
    const uint16_t frame_size "vk_opus_frame_size"[32]


cdef enum:
    OPUS_COUNT_CODE = 0x03      # c of the TOC byte
    OPUS_COUNT_MASK = 0x3F      # M of the frame count byte
    # R5: 120 ms is the most that one packet may hold.
    OPUS_MAX_DURATION = 5760


# Samples at 48 kHz in the packet, 0 when its TOC is not one of a valid packet.
cdef inline int opus_duration_c(const uint8_t* packet, Py_ssize_t size) noexcept nogil:
    cdef int code, count, duration
    if size < 1:
        return 0
    code = packet[0] & OPUS_COUNT_CODE
    if code == 0:
        count = 1
    elif code < 3:
        count = 2
    elif size < 2:
        return 0
    else:
        count = packet[1] & OPUS_COUNT_MASK
    duration = count * frame_size[packet[0] >> 3]
    return duration if duration <= OPUS_MAX_DURATION else 0
