"""RTCP: reading, building, sealing, opening. The values are in `voicekit.rtcp`.

RFC 3550 §6.4; each packet of a compound packet begins with one word, and Discord's rtpsize
modes leave the first packet's SSRC clear as well:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+   ---
    |V=2|P|  count  |      type     |     length in words - 1       |  clear,
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+  authenticated
    |                        SSRC of sender                         |    |
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+   ---
    |              the rest of it, and further packets              |  encrypted
    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+   ---
    |                 authentication tag (16 bytes)                 |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    nonce counter (4 bytes)                    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

A report block (§6.4.1) is six words:

    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                             SSRC                              |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | fraction lost |       cumulative number of packets lost       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           extended highest sequence number received           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      interarrival jitter                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           last SR (the middle half of its NTP time)           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      delay since last SR                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memcpy

from ._crypto cimport CRYPTO_CLOSED, OVERHEAD, TransportCipher
from ._rtp cimport (
    DROP_BAD_TAG,
    DROP_NO_KEY,
    DROP_TOO_SHORT,
    KIND_RTCP,
    RTCP_HEADER,
    demux_c,
    raise_unless_sealed,
)
from ._wire cimport Cursor, load_be16, load_be32, load_be64, take

from .codes import DropReason
from .errors import DecryptionFailed, InvalidPacket, LocalProtocolError
from .rtcp import (
    AppPacket,
    Feedback,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SdesChunk,
    SenderReport,
    SourceDescription,
    UnknownRtcp,
)

__all__ = ["RtcpPacket", "build_compound", "open_rtcp", "parse_compound", "seal_rtcp"]

cdef enum:
    VERSION_MASK = 0xC0
    VERSION_2 = 0x80
    PADDING_BIT = 0x20
    COUNT_MASK = 0x1F

# Packet types (§12.1; RFC 4585 §9).
cdef enum:
    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    SOURCE_DESCRIPTION = 202
    GOODBYE = 203
    APPLICATION = 204
    TRANSPORT_FEEDBACK = 205
    PAYLOAD_FEEDBACK = 206

cdef enum:
    REPORT_BLOCK_SIZE = 24
    SENDER_INFO_SIZE = 20
    SDES_END = 0


# -- reading -------------------------------------------------------------------


cdef tuple parse_compound_c(const uint8_t* data, Py_ssize_t size):
    """All or nothing: a compound packet with one malformed part is not trusted at all.

    Unlike RFC 3550 A.2 any type may come first: RFC 5506 allows it, and servers do it.
    """
    cdef Cursor cursor = Cursor(data, size)
    cdef Cursor body
    cdef const uint8_t* head
    cdef Py_ssize_t length, padding
    cdef list packets = []
    while cursor.left > 0:
        head = take(&cursor, 4)
        if head == NULL or head[0] & VERSION_MASK != VERSION_2:
            return None
        length = 4 * <Py_ssize_t>load_be16(head + 2)
        body.data = take(&cursor, length)
        body.left = length
        if body.data == NULL:
            return None
        if head[0] & PADDING_BIT:
            # Only the last packet may be padded, by 4 to 252 bytes in whole words (§6.4.1).
            if cursor.left > 0 or length == 0:
                return None
            padding = body.data[length - 1]
            if padding == 0 or padding % 4 or padding > length:
                return None
            body.left -= padding
        packet = read_packet(head[1], head[0] & COUNT_MASK, &body)
        if packet is None:
            return None
        packets.append(packet)
    return tuple(packets) or None


cdef object read_packet(int packet_type, int count, Cursor* body):
    """One packet behind its first word; None when it is malformed."""
    if packet_type == SENDER_REPORT:
        return read_sender_report(count, body)
    if packet_type == RECEIVER_REPORT:
        return read_receiver_report(count, body)
    if packet_type == SOURCE_DESCRIPTION:
        return read_source_description(count, body)
    if packet_type == GOODBYE:
        return read_goodbye(count, body)
    if packet_type == APPLICATION:
        return read_app(count, body)
    if packet_type == TRANSPORT_FEEDBACK or packet_type == PAYLOAD_FEEDBACK:
        return read_feedback(packet_type, count, body)
    return UnknownRtcp(packet_type, count, rest(body))


cdef bytes rest(Cursor* body):
    return (<const char*>body.data)[:body.left]


cdef tuple read_reports(int count, Cursor* body):
    cdef const uint8_t* p
    cdef int32_t lost
    cdef list reports = []
    for _ in range(count):
        p = take(body, REPORT_BLOCK_SIZE)
        if p == NULL:
            return None
        lost = <int32_t>(load_be32(p + 4) & 0xFF_FFFF)
        if lost & 0x80_0000:
            lost -= 0x100_0000
        reports.append(ReportBlock(
            load_be32(p), p[4], lost, load_be32(p + 8), load_be32(p + 12), load_be32(p + 16),
            load_be32(p + 20),
        ))
    return tuple(reports)


cdef object read_sender_report(int count, Cursor* body):
    cdef const uint8_t* p = take(body, 4 + SENDER_INFO_SIZE)
    if p == NULL:
        return None
    reports = read_reports(count, body)
    if reports is None:
        return None
    return SenderReport(
        load_be32(p), load_be64(p + 4), load_be32(p + 12), load_be32(p + 16),
        load_be32(p + 20), reports, rest(body),
    )


cdef object read_receiver_report(int count, Cursor* body):
    cdef const uint8_t* p = take(body, 4)
    if p == NULL:
        return None
    reports = read_reports(count, body)
    if reports is None:
        return None
    return ReceiverReport(load_be32(p), reports, rest(body))


cdef object read_source_description(int count, Cursor* body):
    """Chunks of `SSRC | (type | length | text)* | 0`, each padded to a whole word."""
    cdef const uint8_t* ssrc
    cdef const uint8_t* head
    cdef const uint8_t* text
    cdef Py_ssize_t length
    cdef list chunks = []
    cdef list items
    for _ in range(count):
        ssrc = take(body, 4)
        if ssrc == NULL:
            return None
        items = []
        while True:
            head = take(body, 1)
            if head == NULL:
                return None
            if head[0] == SDES_END:
                break
            text = take(body, 1)
            if text == NULL:
                return None
            length = text[0]
            text = take(body, length)
            if text == NULL:
                return None
            items.append((head[0], (<const char*>text)[:length]))
        # The body was whole words, so what is left tells where the next word begins.
        take(body, body.left % 4)
        chunks.append(SdesChunk(load_be32(ssrc), tuple(items)))
    return SourceDescription(tuple(chunks))


cdef object read_goodbye(int count, Cursor* body):
    cdef const uint8_t* p = take(body, 4 * count)
    cdef const uint8_t* length
    cdef const uint8_t* text
    cdef bytes reason = b""
    if p == NULL:
        return None
    length = take(body, 1)
    if length != NULL:
        text = take(body, length[0])
        if text == NULL:
            return None
        reason = (<const char*>text)[:length[0]]
    return Goodbye(tuple([load_be32(p + 4 * i) for i in range(count)]), reason)


cdef object read_app(int count, Cursor* body):
    cdef const uint8_t* p = take(body, 8)
    if p == NULL:
        return None
    return AppPacket(count, load_be32(p), (<const char*>p + 4)[:4], rest(body))


cdef object read_feedback(int packet_type, int count, Cursor* body):
    cdef const uint8_t* p = take(body, 8)
    if p == NULL:
        return None
    return Feedback(packet_type, count, load_be32(p), load_be32(p + 4), rest(body))


def parse_compound(data, /):
    """Read a plain compound packet and return its packets, at least one.

    Raises `InvalidPacket` with the reason ``BAD_RTCP`` when any part of it is malformed.
    """
    cdef Py_buffer buffer
    cdef tuple packets
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    try:
        packets = parse_compound_c(<const uint8_t*>buffer.buf, buffer.len)
    finally:
        PyBuffer_Release(&buffer)
    if packets is None:
        raise InvalidPacket("not RTCP", DropReason.BAD_RTCP)
    return packets


# -- building ------------------------------------------------------------------


def build_compound(packets, /):
    """Return a plain compound packet: the bytes of each of ``packets``, one after another.

    RFC 3550 §6.1 wants a sender or receiver report first; this is left to the caller.
    Raises ``ValueError`` for what does not fit its field.
    """
    cdef bytearray out = bytearray()
    for packet in packets:
        write = WRITERS.get(type(packet))
        if write is None:
            raise TypeError(f"{type(packet).__name__} is not an RtcpPacket")
        try:
            packet_type, count, body = write(packet)
            out += bytes([VERSION_2 | fits(count, COUNT_MASK), packet_type])
            out += fits(len(body) // 4, 0xFFFF).to_bytes(2, "big")
        except OverflowError as error:
            raise ValueError(f"a field of {packet} is out of range") from error
        out += body
    return bytes(out)


cdef object fits(object value, long limit):
    if not 0 <= value <= limit:
        raise OverflowError
    return value


cdef bytes u32(value):
    return value.to_bytes(4, "big")


cdef bytes write_reports(reports):
    return b"".join([
        u32(block.ssrc)
        + block.fraction_lost.to_bytes(1, "big")
        + block.lost.to_bytes(3, "big", signed=True)
        + u32(block.highest_sequence)
        + u32(block.jitter)
        + u32(block.last_sr)
        + u32(block.delay)
        for block in reports
    ])


cdef bytes words(bytes data):
    """`data`, padded to whole words with zeros."""
    return data + bytes(-len(data) & 3)  # not % 4: with C division that is negative


cdef bytes whole(bytes data):
    """`data`, which must be whole words already."""
    if len(data) % 4:
        raise ValueError(f"{len(data)} bytes are not a number of whole words")
    return data


def _write_sender_report(packet):
    body = (
        u32(packet.ssrc) + packet.ntp.to_bytes(8, "big") + u32(packet.rtp_time)
        + u32(packet.packets) + u32(packet.octets)
        + write_reports(packet.reports) + whole(packet.extension)
    )
    return SENDER_REPORT, len(packet.reports), body


def _write_receiver_report(packet):
    body = u32(packet.ssrc) + write_reports(packet.reports) + whole(packet.extension)
    return RECEIVER_REPORT, len(packet.reports), body


def _write_source_description(packet):
    body = b""
    for chunk in packet.chunks:
        items = u32(chunk.ssrc)
        for kind, text in chunk.items:
            if kind == SDES_END:
                raise ValueError("an SDES item of type 0 would end the list")
            items += kind.to_bytes(1, "big") + len(text).to_bytes(1, "big") + text
        body += words(items + bytes([SDES_END]))
    return SOURCE_DESCRIPTION, len(packet.chunks), body


def _write_goodbye(packet):
    body = b"".join([u32(ssrc) for ssrc in packet.ssrcs])
    if packet.reason:
        body += words(len(packet.reason).to_bytes(1, "big") + packet.reason)
    return GOODBYE, len(packet.ssrcs), body


def _write_app(packet):
    if len(packet.name) != 4:
        raise ValueError(f"the name of an AppPacket is 4 bytes, not {len(packet.name)}")
    return APPLICATION, packet.subtype, u32(packet.ssrc) + packet.name + whole(packet.data)


def _write_feedback(packet):
    if packet.packet_type not in (TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK):
        raise ValueError(f"feedback is type 205 or 206, not {packet.packet_type}")
    body = u32(packet.ssrc) + u32(packet.media_ssrc) + whole(packet.data)
    return packet.packet_type, packet.format, body


def _write_unknown(packet):
    return fits(packet.packet_type, 0xFF), packet.count, whole(packet.data)


cdef dict WRITERS = {
    SenderReport: _write_sender_report,
    ReceiverReport: _write_receiver_report,
    SourceDescription: _write_source_description,
    Goodbye: _write_goodbye,
    AppPacket: _write_app,
    Feedback: _write_feedback,
    UnknownRtcp: _write_unknown,
}


# -- sealing -------------------------------------------------------------------


def seal_rtcp(TransportCipher cipher not None, data, /):
    """Return one sealed datagram for the plain compound packet ``data``.

    Draws from the same nonce counter as `voicekit._rtp.seal_packet`. Raises
    `NonceExhausted`, and `LocalProtocolError` when the cipher is closed or ``data`` is no RTCP.
    """
    cdef Py_buffer buffer
    cdef bytes out
    cdef uint8_t* start
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    try:
        if demux_c(<const uint8_t*>buffer.buf, buffer.len) != KIND_RTCP:
            raise LocalProtocolError("not an RTCP packet")
        out = PyBytes_FromStringAndSize(NULL, buffer.len + OVERHEAD)
        start = <uint8_t*>PyBytes_AS_STRING(out)
        memcpy(start, buffer.buf, buffer.len)
        raise_unless_sealed(cipher.seal_c(
            start + RTCP_HEADER, start, RTCP_HEADER,
            start + RTCP_HEADER, buffer.len - RTCP_HEADER,
        ))
    finally:
        PyBuffer_Release(&buffer)
    return out


cdef Py_ssize_t open_rtcp_c(TransportCipher cipher, const uint8_t* data, Py_ssize_t size,
                            uint8_t* plain) noexcept:
    cdef Py_ssize_t body
    if size < RTCP_HEADER + OVERHEAD:
        return -DROP_TOO_SHORT
    if cipher is None:
        return -DROP_NO_KEY
    body = cipher.open_c(plain + RTCP_HEADER, data, RTCP_HEADER,
                         data + RTCP_HEADER, size - RTCP_HEADER)
    if body < 0:
        return -DROP_NO_KEY if body == CRYPTO_CLOSED else -DROP_BAD_TAG
    memcpy(plain, data, RTCP_HEADER)
    return RTCP_HEADER + body


def open_rtcp(TransportCipher cipher not None, data, /):
    """Open a sealed datagram and return the plain compound packet, for `parse_compound`.

    Raises `InvalidPacket` when ``data`` is too short or no RTCP, `DecryptionFailed` for a
    wrong key or altered bytes, `LocalProtocolError` when the cipher is closed.
    """
    cdef Py_buffer buffer
    cdef bytes plain
    cdef Py_ssize_t answer
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    try:
        if demux_c(<const uint8_t*>buffer.buf, buffer.len) != KIND_RTCP:
            raise InvalidPacket("not RTCP", DropReason.BAD_RTCP)
        plain = PyBytes_FromStringAndSize(NULL, buffer.len)
        answer = open_rtcp_c(cipher, <const uint8_t*>buffer.buf, buffer.len,
                             <uint8_t*>PyBytes_AS_STRING(plain))
    finally:
        PyBuffer_Release(&buffer)
    if answer == -DROP_TOO_SHORT:
        raise InvalidPacket("too short for sealed RTCP", DropReason.TOO_SHORT)
    if answer == -DROP_NO_KEY:
        raise LocalProtocolError("the cipher is closed")
    if answer < 0:
        raise DecryptionFailed("the tag of the packet does not match")
    return plain[:answer]
