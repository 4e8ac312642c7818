"""XChaCha20-Poly1305 put together from libsodium's parts: half the time for a voice packet.

libsodium's vector code makes 256 bytes of ChaCha20's key stream at once, and what is less than
that block by block, 64 bytes each for nearly the same time. Its AEAD function asks for one block
for the key of the tag, then for as many bytes as there are: a packet of 160 bytes pays for four
single blocks. Here the stream of a whole packet is asked for at once, in multiples of 256 bytes:

```
stream = ChaCha20(HChaCha20(key, nonce[0:16]), nonce = 4 zeros, nonce[16:24])
         +------------------------+------------------+----------------------------+--------+
         | the key of the tag: 32 | not used: 32     | XORed with the text        | spare  |
         +------------------------+------------------+----------------------------+--------+
tag    = Poly1305(AAD, to 16 | ciphertext, to 16 | sizes of both: 8 bytes each, little-endian)
```

RFC 8439 section 2.8; https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from ._sodium cimport exported, memzero, xchacha_open, xchacha_seal

__all__ = []

cdef extern from "_platform.h" nogil:
    const size_t VK_CHACHA_STRIDE

ctypedef int (*hchacha_function)(
    uint8_t* out, const uint8_t* nonce, const uint8_t* key, const uint8_t* constants
) noexcept nogil
ctypedef int (*stream_function)(
    uint8_t* out, unsigned long long size, const uint8_t* nonce, const uint8_t* key
) noexcept nogil
ctypedef int (*auth_function)(
    uint8_t* out, const uint8_t* data, unsigned long long size, const uint8_t* key
) noexcept nogil
ctypedef int (*verify_function)(const uint8_t* a, const uint8_t* b) noexcept nogil

cdef enum:
    BLOCK = 64              # of ChaCha20; the first is the key of the tag
    STREAM_MAX = 1536       # a multiple of any stride
    TEXT_MAX = STREAM_MAX - BLOCK   # 1472: what fits into a datagram on an Ethernet
    AAD_MAX = 128
    TAG = 16

cdef hchacha_function hchacha = <hchacha_function> exported("crypto_core_hchacha20")
cdef stream_function chacha = <stream_function> exported("crypto_stream_chacha20_ietf")
cdef auth_function poly1305 = <auth_function> exported("crypto_onetimeauth_poly1305")
cdef verify_function verify = <verify_function> exported("crypto_verify_16")


# The key of the tag and the stream for one packet. `room` is what was written.
cdef struct Stream:
    uint8_t[STREAM_MAX] bytes
    size_t room


cdef inline void _make_stream(
        Stream* stream, size_t size, const uint8_t* nonce, const uint8_t* key) noexcept nogil:
    cdef uint8_t[32] subkey
    cdef uint8_t[12] rest
    hchacha(subkey, nonce, key, NULL)
    memset(rest, 0, 4)
    memcpy(rest + 4, nonce + 16, 8)
    stream.room = (BLOCK + size + VK_CHACHA_STRIDE - 1) // VK_CHACHA_STRIDE * VK_CHACHA_STRIDE
    chacha(stream.bytes, stream.room, rest, subkey)
    memzero(subkey, sizeof(subkey))


cdef inline size_t _padded(uint8_t* room, const uint8_t* data, size_t size) noexcept nogil:
    cdef size_t end = (size + 15) & ~<size_t> 15
    memcpy(room, data, size)
    memset(room + size, 0, end - size)
    return end


cdef inline void _make_tag(
        uint8_t* tag, const uint8_t* aad, uint64_t aad_len,
        const uint8_t* text, uint64_t size, const uint8_t* key) noexcept nogil:
    cdef uint8_t[AAD_MAX + TEXT_MAX + 16] data
    cdef size_t end = _padded(data, aad, aad_len)
    cdef int place
    end += _padded(data + end, text, size)
    for place in range(8):
        data[end + place] = <uint8_t> (aad_len >> (8 * place))
        data[end + 8 + place] = <uint8_t> (size >> (8 * place))
    poly1305(tag, data, end + 16, key)


cdef inline void _mix(
        uint8_t* out, const uint8_t* text, const uint8_t* stream, size_t size) noexcept nogil:
    cdef uint64_t a, b
    cdef size_t at = 0
    while at + 8 <= size:   # `out` may be `text`: each word is read before it is written
        memcpy(&a, text + at, 8)
        memcpy(&b, stream + at, 8)
        a ^= b
        memcpy(out + at, &a, 8)
        at += 8
    while at < size:
        out[at] = text[at] ^ stream[at]
        at += 1


cdef int xchacha_seal_composed(
        uint8_t* out, unsigned long long* out_len,
        const uint8_t* plain, unsigned long long plain_len,
        const uint8_t* aad, unsigned long long aad_len,
        const uint8_t* nsec, const uint8_t* nonce, const void* secret) noexcept nogil:
    cdef Stream stream
    if plain_len > TEXT_MAX or aad_len > AAD_MAX:
        return xchacha_seal(
            out, out_len, plain, plain_len, aad, aad_len, nsec, nonce, secret)
    _make_stream(&stream, plain_len, nonce, <const uint8_t*> secret)
    _mix(out, plain, stream.bytes + BLOCK, plain_len)
    _make_tag(out + plain_len, aad, aad_len, out, plain_len, stream.bytes)
    memzero(stream.bytes, stream.room)
    return 0


cdef int xchacha_open_composed(
        uint8_t* out, unsigned long long* out_len, uint8_t* nsec,
        const uint8_t* body, unsigned long long body_len,
        const uint8_t* aad, unsigned long long aad_len,
        const uint8_t* nonce, const void* secret) noexcept nogil:
    cdef Stream stream
    cdef uint8_t[TAG] tag
    cdef int answer
    if body_len < TAG:
        return -1
    if body_len - TAG > TEXT_MAX or aad_len > AAD_MAX:
        return xchacha_open(
            out, out_len, nsec, body, body_len, aad, aad_len, nonce, secret)
    body_len -= TAG
    _make_stream(&stream, body_len, nonce, <const uint8_t*> secret)
    _make_tag(tag, aad, aad_len, body, body_len, stream.bytes)
    answer = verify(tag, body + body_len)   # in constant time; nothing is decrypted before
    if answer == 0:
        _mix(out, body, stream.bytes + BLOCK, body_len)
    memzero(stream.bytes, stream.room)
    return answer


cdef bint _agrees() noexcept:
    """Whether the parts come to what libsodium's own function comes to."""
    cdef uint8_t[32] key
    cdef uint8_t[24] nonce
    cdef uint8_t[12] aad
    cdef uint8_t[100] plain
    cdef uint8_t[100 + TAG] expected, sealed
    cdef unsigned long long size
    cdef int place
    for place in range(100):
        plain[place] = <uint8_t> place
    memcpy(key, plain + 1, sizeof(key))
    memcpy(nonce, plain + 2, sizeof(nonce))
    memcpy(aad, plain + 3, sizeof(aad))
    xchacha_seal(expected, &size, plain, 100, aad, 12, NULL, nonce, key)
    xchacha_seal_composed(sealed, NULL, plain, 100, aad, 12, NULL, nonce, key)
    for place in range(100 + TAG):
        if sealed[place] != expected[place]:
            return False
    return xchacha_open_composed(sealed, NULL, NULL, sealed, 100 + TAG, aad, 12, nonce, key) == 0


can_compose = (
    hchacha != NULL and chacha != NULL and poly1305 != NULL and verify != NULL
    and xchacha_seal != NULL and xchacha_open != NULL and _agrees()
)
