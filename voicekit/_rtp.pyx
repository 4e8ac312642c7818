"""RTP packets: telling them apart, reading, building, sealing, opening.

RFC 3550 §5.1, and what Discord's rtpsize modes do with it:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+   ---
    |V=2|P|X|  CC   |M|     PT      |       sequence number         |    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+    |
    |                           timestamp                           |    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+  clear,
    |                             SSRC                              |  authenticated
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+    |
    |                      CC times a CSRC                          |    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+    |
    |     X: extension profile      |    X: its length in words     |    |
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+   ---
    |                 X: extension body (RFC 8285)                  |    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+  encrypted,
    |                           payload                             |  authenticated
    |                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+    |
    |                               | P: padding    | padding count |    |
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+   ---
    |                 authentication tag (16 bytes)                 |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    nonce counter (4 bytes)                    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Unlike SRTP with RFC 6904, the extension's preamble is clear and its body is not.
Source: https://discord.com/developers/docs/topics/voice-connections#transport-encryption
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset


cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1


from ._crypto cimport (
    CRYPTO_CLOSED,
    CRYPTO_EXHAUSTED,
    NONCE_SUFFIX_SIZE,
    OVERHEAD,
    TransportCipher,
)
from ._opus_toc cimport opus_duration_c
from ._wire cimport Cursor, load_be16, load_be32, store_be16, store_be32, take

from enum import IntEnum

from ._extensions import build_extensions, parse_extensions
from .codes import DropReason
from .errors import DecryptionFailed, InvalidPacket, LocalProtocolError, NonceExhausted

__all__ = [
    "DROP_REASONS",
    "HEADER_SIZE",
    "ONE_BYTE_PROFILE",
    "PAYLOAD_TYPE_OPUS",
    "SAMPLE_RATE",
    "TWO_BYTE_PROFILE",
    "PacketKind",
    "RtpPacket",
    "build_extensions",
    "build_header",
    "build_keepalive",
    "build_packet",
    "demux",
    "open_packet",
    "opus_duration",
    "parse_extensions",
    "parse_packet",
    "seal_packet",
]

# Byte 0 and byte 1.
cdef enum:
    VERSION_MASK = 0xC0
    VERSION_2 = 0x80
    PADDING_BIT = 0x20
    EXTENSION_BIT = 0x10
    CSRC_COUNT_MASK = 0x0F
    MARKER_BIT = 0x80
    PAYLOAD_TYPE_MASK = 0x7F
    # RFC 5761 §4: what byte 1 of RTCP holds, and RTP avoids (marker and types 64 to 95).
    RTCP_FIRST = 192
    RTCP_LAST = 223

cdef enum:
    # The first word of discovery: type 1 (request) or 2 (reply), length 70.
    DISCOVERY_REQUEST = 0x0001_0046
    DISCOVERY_REPLY = 0x0002_0046
    # The web client's ping, `1337CAFE | u32`, and its answer.
    PING_REQUEST = 0x1337_CAFE
    PING_REPLY = 0x1337_F00D
    # Larger than any MTU's datagram: what is bigger takes scratch from the heap.
    STACK_SCRATCH = 2048

HEADER_SIZE = FIXED_HEADER
PAYLOAD_TYPE_OPUS = OPUS
SAMPLE_RATE = 48000
ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000
DROP_REASONS = tuple(DropReason)


class PacketKind(IntEnum):
    """What `demux` takes a datagram for."""

    RTP = KIND_RTP
    RTCP = KIND_RTCP
    DISCOVERY = KIND_DISCOVERY
    KEEPALIVE = KIND_KEEPALIVE
    UNKNOWN = KIND_UNKNOWN


cdef tuple KINDS = tuple(PacketKind)


# -- telling datagrams apart ---------------------------------------------------


cdef Kind demux_c(const uint8_t* data, Py_ssize_t size) noexcept nogil:
    cdef uint32_t first
    if size < KEEPALIVE_SIZE:
        return KIND_UNKNOWN
    first = load_be32(data)
    # 8 bytes are too few for any sealed packet, so they can not be mistaken for one.
    if size == KEEPALIVE_SIZE and (
        first == PING_REQUEST or first == PING_REPLY or load_be32(data + 4) == 0
    ):
        return KIND_KEEPALIVE
    if first == DISCOVERY_REQUEST or first == DISCOVERY_REPLY:
        return KIND_DISCOVERY
    if data[0] & VERSION_MASK != VERSION_2:
        return KIND_UNKNOWN
    if RTCP_FIRST <= data[1] <= RTCP_LAST:
        return KIND_RTCP
    if size < FIXED_HEADER:
        return KIND_UNKNOWN
    return KIND_RTP


def demux(data, /):
    """Return the `PacketKind` of a datagram, from its clear bytes alone.

    Nothing is verified: a packet of any kind may still turn out to be malformed.
    """
    cdef Py_buffer buffer
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    cdef Kind kind = demux_c(<const uint8_t*>buffer.buf, buffer.len)
    PyBuffer_Release(&buffer)
    return KINDS[kind]


def build_keepalive(counter, /):
    """Return the 8-byte keepalive: ``counter`` (u32, little-endian) and four zero bytes."""
    return (<object>checked(counter, 0xFFFF_FFFF, "counter")).to_bytes(4, "little") + bytes(4)


# -- reading -------------------------------------------------------------------


cdef Drop read_header(const uint8_t* data, Py_ssize_t size, PacketView* view) noexcept nogil:
    """Fixed header, CSRCs and extension preamble: all that is clear, and the AAD."""
    cdef Cursor cursor = Cursor(data, size)
    cdef const uint8_t* fixed = take(&cursor, FIXED_HEADER)
    cdef const uint8_t* preamble
    if fixed == NULL:
        return DROP_TOO_SHORT
    if fixed[0] & VERSION_MASK != VERSION_2:
        return DROP_BAD_VERSION
    view.header_size = FIXED_HEADER
    view.marker = fixed[1] & MARKER_BIT != 0
    view.payload_type = fixed[1] & PAYLOAD_TYPE_MASK
    view.sequence = load_be16(fixed + 2)
    view.timestamp = load_be32(fixed + 4)
    view.ssrc = load_be32(fixed + 8)
    view.csrc_count = fixed[0] & CSRC_COUNT_MASK
    view.csrcs = take(&cursor, 4 * view.csrc_count)
    if view.csrcs == NULL:
        return DROP_BAD_HEADER
    if fixed[0] & EXTENSION_BIT:
        preamble = take(&cursor, 4)
        if preamble == NULL:
            return DROP_BAD_HEADER
        view.extension_profile = load_be16(preamble)
        view.extension_len = 4 * <Py_ssize_t>load_be16(preamble + 2)
    else:
        view.extension_profile = NO_EXTENSION
        view.extension_len = 0
    view.header_size = size - cursor.left
    return DROP_NONE


cdef Drop read_body(const uint8_t* body, Py_ssize_t size, bint padded,
                    PacketView* view) noexcept nogil:
    """What follows the header, in the clear: extension body, payload, padding."""
    cdef Cursor cursor = Cursor(body, size)
    view.extension = take(&cursor, view.extension_len)
    if view.extension == NULL:
        return DROP_BAD_EXTENSION
    view.padding = 0
    if padded:
        # The count is the last byte and counts itself, so 0 is malformed too.
        if cursor.left == 0:
            return DROP_BAD_PADDING
        view.padding = cursor.data[cursor.left - 1]
        if view.padding == 0 or view.padding > cursor.left:
            return DROP_BAD_PADDING
    view.payload = cursor.data
    view.payload_len = cursor.left - view.padding
    return DROP_NONE


cdef int open_packet_c(TransportCipher cipher, const uint8_t* data, Py_ssize_t size,
                       uint8_t* plain, PacketView* view) noexcept nogil:
    """The receive order: every datagram of every road into voicekit passes here.

    Reordering any two steps is a bug that some library has had; tests/regressions tells.
    """
    cdef Drop drop
    cdef Py_ssize_t plain_len
    cdef Kind kind
    memset(view, 0, sizeof(PacketView))

    # 1. Length and version. What is not RTP at all is named for what it is.
    # 2. RTCP shares the socket. Its byte 1 would read as a marked packet of type 64 to 95.
    kind = demux_c(data, size)
    if kind == KIND_RTCP:
        return IS_RTCP
    if kind == KIND_KEEPALIVE:
        return DROP_KEEPALIVE
    if kind == KIND_DISCOVERY:
        return DROP_DISCOVERY
    if kind == KIND_UNKNOWN:
        return DROP_TOO_SHORT if size < FIXED_HEADER else DROP_BAD_VERSION
    drop = read_header(data, size, view)
    if size < FIXED_HEADER + OVERHEAD:
        return DROP_TOO_SHORT
    if cipher is None:
        return DROP_NO_KEY

    # 3. Payload type, without the marker bit: video and the like are not decrypted.
    if view.payload_type != OPUS:
        return DROP_PAYLOAD_TYPE

    # 4. Fixed header, CSRCs and extension preamble are the AAD; tag and nonce must follow.
    if drop != DROP_NONE or size - view.header_size < OVERHEAD:
        return DROP_BAD_HEADER

    # 5. Authenticate and decrypt. Nothing behind the header means anything before this.
    plain_len = cipher.open_c(plain, data, view.header_size,
                              data + view.header_size, size - view.header_size)
    if plain_len < 0:
        return DROP_NO_KEY if plain_len == CRYPTO_CLOSED else DROP_BAD_TAG
    view.nonce = load_be32(data + size - NONCE_SUFFIX_SIZE)

    # 6. Skip the decrypted extension body, as many words as the clear preamble said,
    # 7. then strip padding, whose count is the last *decrypted* byte.
    drop = read_body(plain, plain_len, data[0] & PADDING_BIT != 0, view)
    if drop != DROP_NONE:
        return drop
    # Nothing but padding is no audio (servers probe bandwidth with such packets).
    if view.payload_len == 0:
        return DROP_EMPTY
    # 8. SSRC to user, DAVE, and Opus are the session's.
    return DROP_NONE


@cython.final
@cython.freelist(16)
@cython.auto_pickle(False)
cdef class RtpPacket:
    """One RTP packet, taken apart. Made by `parse_packet` and `open_packet`.

    ``timestamp`` counts samples at 48 kHz. ``header_size`` is the length of the clear bytes
    (with CSRCs and extension preamble), ``padding`` the number of bytes removed, ``nonce``
    the counter of the sealed packet (None for a plain one).
    """

    def __init__(self):
        raise TypeError("an RtpPacket is made by parse_packet or open_packet")

    @property
    def extensions(self):
        """The elements of the header extension, as `parse_extensions` reads them."""
        if self.extension_profile is None:
            return ()
        return parse_extensions(self.extension_profile, self.extension_body)

    def __repr__(self):
        return (
            f"RtpPacket(ssrc={self.ssrc}, sequence={self.sequence}, timestamp={self.timestamp},"
            f" payload_type={self.payload_type}, marker={self.marker},"
            f" payload=<{len(self.payload)} bytes>)"
        )


cdef RtpPacket to_packet(PacketView* view, bint sealed):
    cdef RtpPacket packet = RtpPacket.__new__(RtpPacket)
    packet.marker = view.marker
    packet.payload_type = view.payload_type
    packet.sequence = view.sequence
    packet.timestamp = view.timestamp
    packet.ssrc = view.ssrc
    packet.csrcs = (
        tuple([load_be32(view.csrcs + 4 * i) for i in range(view.csrc_count)])
        if view.csrc_count else ()
    )
    packet.extension_profile = (
        None if view.extension_profile == NO_EXTENSION else view.extension_profile
    )
    packet.extension_body = (<const char*>view.extension)[:view.extension_len]
    packet.padding = view.padding
    packet.payload = (<const char*>view.payload)[:view.payload_len]
    packet.nonce = view.nonce if sealed else None
    packet.header_size = view.header_size
    return packet


cdef dict EXPLANATIONS = {
    DropReason.TOO_SHORT: "shorter than the smallest packet of its kind",
    DropReason.BAD_VERSION: "not RTP version 2",
    DropReason.KEEPALIVE: "a keepalive, not RTP",
    DropReason.DISCOVERY: "an IP discovery packet, not RTP",
    DropReason.PAYLOAD_TYPE: "not audio",
    DropReason.BAD_HEADER: "CSRCs or extension preamble reach past the end",
    DropReason.BAD_EXTENSION: "the extension reaches past the end",
    DropReason.BAD_PADDING: "the padding count is 0 or longer than the payload",
    DropReason.EMPTY: "nothing but padding",
}


cdef object invalid_packet(int drop):
    reason = DROP_REASONS[drop - 1]
    return InvalidPacket(EXPLANATIONS[reason], reason)


def parse_packet(data, /):
    """Read a plain RTP packet (RFC 3550 §5.1) and return an `RtpPacket`.

    Raises `InvalidPacket`, whose ``reason`` is the `DropReason`. Any payload type is
    accepted, and an empty payload. RTCP reads as RTP: ask `demux` first.
    """
    cdef Py_buffer buffer
    cdef PacketView view
    cdef Drop drop
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    try:
        drop = read_plain(<const uint8_t*>buffer.buf, buffer.len, &view)
        if drop != DROP_NONE:
            raise invalid_packet(drop)
        return to_packet(&view, False)
    finally:
        PyBuffer_Release(&buffer)


cdef Drop read_plain(const uint8_t* data, Py_ssize_t size, PacketView* view) noexcept nogil:
    cdef Drop drop
    memset(view, 0, sizeof(PacketView))
    drop = read_header(data, size, view)
    if drop != DROP_NONE:
        return drop
    return read_body(data + view.header_size, size - view.header_size,
                     data[0] & PADDING_BIT != 0, view)


def open_packet(TransportCipher cipher not None, data, /):
    """Open a sealed datagram and return an `RtpPacket`.

    Raises `InvalidPacket`, whose ``reason`` is the `DropReason`, for what is not a well-formed
    audio packet; `DecryptionFailed` for a wrong key or altered bytes; `LocalProtocolError`
    when the cipher is closed. RTCP is ``PAYLOAD_TYPE``: see `voicekit._rtcp.open_rtcp`.
    """
    cdef Py_buffer buffer
    cdef PacketView view
    cdef uint8_t stack[STACK_SCRATCH]
    cdef uint8_t* plain = stack
    cdef int answer
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    try:
        if buffer.len > STACK_SCRATCH:
            plain = <uint8_t*>PyMem_Malloc(buffer.len)
            if plain == NULL:
                raise MemoryError
        answer = open_packet_c(cipher, <const uint8_t*>buffer.buf, buffer.len, plain, &view)
        if answer == DROP_NONE:
            return to_packet(&view, True)
        if answer == DROP_BAD_TAG:
            raise DecryptionFailed("the tag of the packet does not match")
        if answer == DROP_NO_KEY:
            raise LocalProtocolError("the cipher is closed")
        raise invalid_packet(DROP_PAYLOAD_TYPE if answer == IS_RTCP else answer)
    finally:
        if plain != stack:
            PyMem_Free(plain)
        PyBuffer_Release(&buffer)


# -- building ------------------------------------------------------------------


cdef uint32_t checked(object value, uint32_t limit, str name) except? 0xFFFF_FFFF:
    """A Python integer of 0 to `limit`; a wrong one is the caller's mistake."""
    cdef int overflow = 0
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow or not 0 <= number <= limit:
        raise ValueError(f"{name} is 0 to {limit}, not {value}")
    return <uint32_t>number


cdef struct Header:
    bint marker
    uint8_t payload_type
    uint16_t sequence
    uint32_t timestamp
    uint32_t ssrc
    bint padded
    int32_t extension_profile   # NO_EXTENSION: no X bit
    uint16_t extension_words


cdef int check_header(Header* header, sequence, timestamp, ssrc, payload_type, marker,
                      tuple csrcs) except -1:
    """Fill what every packet has; return the size of the header without an extension."""
    header.sequence = <uint16_t>checked(sequence, 0xFFFF, "sequence")
    header.timestamp = checked(timestamp, 0xFFFF_FFFF, "timestamp")
    header.ssrc = checked(ssrc, 0xFFFF_FFFF, "ssrc")
    header.payload_type = <uint8_t>checked(payload_type, PAYLOAD_TYPE_MASK, "payload_type")
    header.marker = marker
    if len(csrcs) > CSRC_COUNT_MASK:
        raise ValueError(f"a packet has at most 15 csrcs, not {len(csrcs)}")
    return FIXED_HEADER + 4 * len(csrcs)


cdef int store_clear(uint8_t* out, Header* header, tuple csrcs) except -1:
    """Fixed header, CSRCs and extension preamble at `out`."""
    cdef uint8_t* p = out + FIXED_HEADER
    store_header(out, header.marker, header.payload_type, header.sequence,
                 header.timestamp, header.ssrc)
    if header.padded:
        out[0] |= PADDING_BIT
    out[0] |= <uint8_t>len(csrcs)
    for csrc in csrcs:
        store_be32(p, checked(csrc, 0xFFFF_FFFF, "csrc"))
        p += 4
    if header.extension_profile != NO_EXTENSION:
        out[0] |= EXTENSION_BIT
        store_be16(p, <uint16_t>header.extension_profile)
        store_be16(p + 2, header.extension_words)
    return 0


def build_header(*, sequence, timestamp, ssrc, payload_type=OPUS, marker=False, csrcs=(),
                 extension_profile=None, extension_words=0, padding=False):
    """Return the clear part of a packet: fixed header, CSRCs, extension preamble.

    ``extension_profile`` sets the X bit; a body of ``extension_words`` times 4 bytes must
    follow. ``padding`` sets the P bit; the payload must then end in a padding count.
    """
    cdef Header header
    cdef tuple sources = tuple(csrcs)
    cdef int size = check_header(&header, sequence, timestamp, ssrc, payload_type, marker,
                                 sources)
    header.padded = padding
    header.extension_profile = NO_EXTENSION
    header.extension_words = <uint16_t>checked(extension_words, 0xFFFF, "extension_words")
    if extension_profile is not None:
        header.extension_profile = checked(extension_profile, 0xFFFF, "extension_profile")
        size += 4
    elif header.extension_words:
        raise ValueError("extension_words need an extension_profile")
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    store_clear(<uint8_t*>PyBytes_AS_STRING(out), &header, sources)
    return out


cdef bytes assemble(TransportCipher cipher, sequence, timestamp, ssrc, payload_type, marker,
                    csrcs, extensions, extension_profile, padding, payload):
    """One packet in one allocation; sealed in place when there is a cipher."""
    cdef Header header
    cdef Py_buffer buffer
    cdef bytes body = b""
    cdef bytes out
    cdef uint8_t* start
    cdef uint8_t* p
    cdef Py_ssize_t clear, plain_len
    cdef uint8_t pad = <uint8_t>checked(padding, 0xFF, "padding")
    cdef tuple sources = tuple(csrcs)
    clear = check_header(&header, sequence, timestamp, ssrc, payload_type, marker, sources)
    header.padded = pad != 0
    header.extension_profile = NO_EXTENSION
    header.extension_words = 0
    if extensions:
        body = build_extensions(extensions, extension_profile)
        header.extension_profile = checked(extension_profile, 0xFFFF, "extension_profile")
        header.extension_words = <uint16_t>(len(body) // 4)
        clear += 4
    PyObject_GetBuffer(payload, &buffer, PyBUF_SIMPLE)
    try:
        plain_len = len(body) + buffer.len + pad
        out = PyBytes_FromStringAndSize(
            NULL, clear + plain_len + (0 if cipher is None else OVERHEAD)
        )
        start = <uint8_t*>PyBytes_AS_STRING(out)
        store_clear(start, &header, sources)
        p = start + clear
        memcpy(p, PyBytes_AS_STRING(body), len(body))
        p += len(body)
        memcpy(p, buffer.buf, buffer.len)
    finally:
        PyBuffer_Release(&buffer)
    if pad:
        memset(start + clear + plain_len - pad, 0, pad)
        start[clear + plain_len - 1] = pad
    if cipher is not None:
        raise_unless_sealed(
            cipher.seal_c(start + clear, start, clear, start + clear, plain_len)
        )
    return out


cdef int raise_unless_sealed(int answer) except -1:
    if answer == CRYPTO_CLOSED:
        raise LocalProtocolError("the cipher is closed")
    if answer == CRYPTO_EXHAUSTED:
        raise NonceExhausted("all nonces of this key are used: renegotiate")
    if answer < 0:
        raise AssertionError("libsodium refused to seal")  # impossible below 256 GB
    return 0


def build_packet(*, sequence, timestamp, ssrc, payload_type=OPUS, marker=False, csrcs=(),
                 extensions=(), extension_profile=ONE_BYTE_PROFILE, padding=0, payload=b""):
    """Return a plain RTP packet (RFC 3550 §5.1).

    ``extensions`` are ``(id, bytes)`` pairs for `build_extensions`; ``padding`` is the number
    of bytes, 0 to 255, that are added behind the payload, the count included.
    """
    return assemble(None, sequence, timestamp, ssrc, payload_type, marker, csrcs, extensions,
                    extension_profile, padding, payload)


def seal_packet(TransportCipher cipher not None, *, sequence, timestamp, ssrc, payload,
                marker=False, payload_type=OPUS, csrcs=(), extensions=(),
                extension_profile=ONE_BYTE_PROFILE, padding=0):
    """Return one sealed datagram: the arguments of `build_packet`, encrypted by ``cipher``.

    Raises `NonceExhausted` when the key has no nonce left, `LocalProtocolError` when the
    cipher is closed.
    """
    return assemble(cipher, sequence, timestamp, ssrc, payload_type, marker, csrcs, extensions,
                    extension_profile, padding, payload)


# -- Opus ----------------------------------------------------------------------


def opus_duration(packet, /):
    """Return the samples at 48 kHz of an Opus packet, from its TOC (RFC 6716 §3.1).

    0 means that no decoder would take it: empty, a frame count of 0, or above 120 ms.
    """
    cdef Py_buffer buffer
    PyObject_GetBuffer(packet, &buffer, PyBUF_SIMPLE)
    cdef int duration = opus_duration_c(<const uint8_t*>buffer.buf, buffer.len)
    PyBuffer_Release(&buffer)
    return duration
