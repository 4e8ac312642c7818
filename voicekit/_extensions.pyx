"""RTP header extensions (RFC 8285) and the elements that come with audio.

One-byte header, profile 0xBEDE (§4.2); len is the length minus one:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |   id  |  len  |  data (len + 1 bytes)         |  id   |  len  | ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Two-byte header, profile 0x100X (§4.3); X is the application's:

    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |       id      |      len      |  data (len bytes)             | ...
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

In both, a zero byte where an element should begin is padding: between elements, and up to
the next word. In the one-byte header, id 15, and id 0 with a length, end the list (§4.2).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, uint8_t

from ._wire cimport Cursor, take

__all__ = [
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "SPEAKER_FLAGS",
    "abs_send_time_element",
    "audio_level_element",
    "build_extensions",
    "parse_extensions",
    "read_abs_send_time",
    "read_audio_level",
    "read_speaker_flags",
    "speaker_flags_element",
]

#: RFC 6464: one byte, voice activity and level.
AUDIO_LEVEL = 1
#: http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time: 24 bits, 6.18 seconds.
ABS_SEND_TIME = 3
#: Discord's own: the bits of `voicekit.codes.SpeakingFlags`, one byte.
SPEAKER_FLAGS = 9

cdef enum:
    ONE_BYTE = 0xBEDE
    TWO_BYTE = 0x1000
    TWO_BYTE_MASK = 0xFFF0
    STOP_ID = 15
    ID_AUDIO_LEVEL = 1
    ID_SPEAKER_FLAGS = 9
    VOICE_ACTIVITY = 0x80
    LEVEL_MASK = 0x7F
    MAX_BODY = 4 * 0xFFFF


cdef struct Element:
    int id
    const uint8_t* data
    Py_ssize_t size


cdef bint next_element(int32_t profile, Cursor* cursor, Element* element) noexcept nogil:
    """Read one element, past padding. False: the list has ended, or is cut off."""
    cdef const uint8_t* head
    while cursor.left > 0:
        head = take(cursor, 1)
        if profile == ONE_BYTE:
            element.id = head[0] >> 4
            element.size = (head[0] & 0x0F) + 1
            if head[0] == 0:
                continue
            if element.id == 0 or element.id == STOP_ID:
                return False
        elif profile & TWO_BYTE_MASK == TWO_BYTE:
            element.id = head[0]
            if element.id == 0:
                continue
            head = take(cursor, 1)
            if head == NULL:
                return False
            element.size = head[0]
        else:
            return False
        element.data = take(cursor, element.size)
        return element.data != NULL
    return False


def parse_extensions(profile, body, /):
    """Return the elements of an extension body as a tuple of ``(id, bytes)``, in their order.

    Reads the one-byte header (profile 0xBEDE) and the two-byte one (0x1000 to 0x100F); any
    other profile has no elements. Never raises for what is in ``body``: an element that
    reaches past the end, and all after it, are left out.
    """
    cdef Py_buffer buffer
    cdef Cursor cursor
    cdef Element element
    cdef int32_t form = profile if 0 <= profile <= 0xFFFF else 0
    cdef list elements = []
    PyObject_GetBuffer(body, &buffer, PyBUF_SIMPLE)
    try:
        cursor = Cursor(<const uint8_t*>buffer.buf, buffer.len)
        while next_element(form, &cursor, &element):
            elements.append((element.id, (<const char*>element.data)[:element.size]))
    finally:
        PyBuffer_Release(&buffer)
    return tuple(elements)


def build_extensions(elements, profile=ONE_BYTE, /):
    """Return the body of an extension: ``(id, bytes)`` pairs, padded to whole words.

    One-byte header: ids 1 to 14 with 1 to 16 bytes each. Two-byte header (0x1000 to 0x100F):
    ids 1 to 255 with up to 255 bytes. Anything else raises ``ValueError``.
    """
    cdef bytearray body = bytearray()
    cdef bint one_byte = profile == ONE_BYTE
    if not one_byte and profile & TWO_BYTE_MASK != TWO_BYTE:
        raise ValueError(f"extension profile {profile:#x} is neither 0xBEDE nor 0x1000 to 0x100F")
    for id, data in elements:
        if one_byte:
            if not (1 <= id <= 14 and 1 <= len(data) <= 16):
                raise ValueError(
                    f"extension element {id} of {len(data)} bytes does not fit a one-byte header"
                )
            body.append(id << 4 | len(data) - 1)
        else:
            if not (1 <= id <= 255 and len(data) <= 255):
                raise ValueError(
                    f"extension element {id} of {len(data)} bytes does not fit a two-byte header"
                )
            body.append(id)
            body.append(len(data))
        body += data
    body += bytes(-len(body) & 3)  # not % 4: with C division that is negative
    if len(body) > MAX_BODY:
        raise ValueError("an extension has at most 65535 words")
    return bytes(body)


# -- elements of audio -----------------------------------------------------------


cdef void read_audio_extensions(int32_t profile, const uint8_t* body, Py_ssize_t size,
                                AudioExtensions* out) noexcept nogil:
    cdef Cursor cursor = Cursor(body, size)
    cdef Element element
    out.audio_level = -1
    out.voice_activity = False
    out.speaker_flags = -1
    while next_element(profile, &cursor, &element):
        if element.size == 0:
            continue
        if element.id == ID_AUDIO_LEVEL:
            out.audio_level = element.data[0] & LEVEL_MASK
            out.voice_activity = element.data[0] & VOICE_ACTIVITY != 0
        elif element.id == ID_SPEAKER_FLAGS:
            out.speaker_flags = element.data[0]


def audio_level_element(level, voice=True):
    """Return the element of RFC 6464: ``level`` in -dBov, 0 (loudest) to 127 (silence)."""
    if not 0 <= level <= LEVEL_MASK:
        raise ValueError(f"an audio level is 0 to 127, not {level}")
    return AUDIO_LEVEL, bytes([level | (VOICE_ACTIVITY if voice else 0)])


def abs_send_time_element(seconds):
    """Return the element for a time in ``seconds``: a clock of 64 s in steps of 3.8 µs."""
    return ABS_SEND_TIME, (round(seconds * 2**18) & 0xFF_FFFF).to_bytes(3, "big")


def speaker_flags_element(flags):
    """Return the element for `voicekit.codes.SpeakingFlags`."""
    return SPEAKER_FLAGS, bytes([flags])


def read_audio_level(elements, /):
    """Return ``(level, voice)`` of RFC 6464 out of parsed elements, or None.

    The level is in -dBov, 0 (loudest) to 127; ``voice`` is the sender's voice activity bit.
    """
    data = find(elements, AUDIO_LEVEL, 1)
    return None if data is None else (data[0] & LEVEL_MASK, data[0] & VOICE_ACTIVITY != 0)


def read_abs_send_time(elements, /):
    """Return the sender's clock in seconds, modulo 64, out of parsed elements, or None."""
    data = find(elements, ABS_SEND_TIME, 3)
    return None if data is None else int.from_bytes(data[:3], "big") / 2**18


def read_speaker_flags(elements, /):
    """Return the bits of `voicekit.codes.SpeakingFlags` out of parsed elements, or None."""
    data = find(elements, SPEAKER_FLAGS, 1)
    return None if data is None else data[0]


cdef bytes find(elements, int wanted, Py_ssize_t size):
    """The last element with the id `wanted` and at least `size` bytes."""
    cdef bytes found = None
    for id, data in elements:
        if id == wanted and len(data) >= size:
            found = data
    return found
