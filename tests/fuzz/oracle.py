"""What the reference says of a datagram, in the words in which voicekit says it."""

from collections.abc import Callable
from typing import Any

import msgspec
import nacl.bindings as sodium
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.exceptions import CryptoError

from tests.fuzz.mutate import exactly
from tests.reference import opus, rtcp, rtp
from voicekit import _rtcp, _rtp
from voicekit._crypto import TransportCipher
from voicekit.errors import DecryptionFailed, InvalidPacket

AES = "aead_aes256_gcm_rtpsize"
FIELDS = list(rtp.Packet.__dataclass_fields__)
RTCP_CLEAR = 8


def decryptor(mode: str, key: bytes) -> rtp.Decrypt:
    """Return the transport mode made of other libraries' own functions."""
    aes = AESGCM(key)

    def open_aes(suffix: bytes, aad: bytes, sealed: bytes) -> bytes | None:
        try:
            return aes.decrypt(suffix + bytes(8), sealed, aad)
        except InvalidTag:
            return None

    def open_xchacha(suffix: bytes, aad: bytes, sealed: bytes) -> bytes | None:
        try:
            return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, aad, suffix + bytes(20), key
            )
        except CryptoError:
            return None

    return open_aes if mode == AES else open_xchacha


class Differential:
    """voicekit and the reference, asked about the same datagram."""

    def __init__(self, mode: str, key: bytes) -> None:
        self._cipher = TransportCipher(mode, key)
        self._decrypt = decryptor(mode, key)

    def judge(self, data: memoryview) -> str:
        """Compare all parsers on ``data``; return the verdict of the receive order."""
        plain = bytes(data)
        kind = rtp.demux(plain)
        assert _rtp.demux(data).name == kind
        verdict = _ours(lambda: _fields(_rtp.open_packet(self._cipher, data)))
        assert verdict == _theirs(lambda: _fields(rtp.open_packet(self._decrypt, plain)))
        assert _ours(lambda: _fields(_rtp.parse_packet(data))) == _theirs(
            lambda: _fields(rtp.parse(plain))
        )
        assert _rtp.opus_duration(data) == opus.duration(plain)
        for profile in (0xBEDE, 0x1000, 0x1234):
            assert _rtp.parse_extensions(profile, data) == rtp.parse_extensions(profile, plain)
        self._judge_rtcp(data, plain)
        if kind == "RTCP":
            return self._judge_sealed_rtcp(data, plain)
        return "audio" if isinstance(verdict, tuple) else str(verdict)

    def _judge_rtcp(self, data: memoryview, plain: bytes) -> None:
        ours = _ours(lambda: _values(_rtcp.parse_compound(data)))
        theirs = _theirs(lambda: rtcp.parse_compound(plain))
        assert isinstance(ours, str) == isinstance(theirs, str), (ours, theirs)
        if not isinstance(ours, str):
            assert ours == theirs

    def _judge_sealed_rtcp(self, data: memoryview, plain: bytes) -> str:
        opened = _ours(lambda: _rtcp.open_rtcp(self._cipher, data))
        if len(plain) >= RTCP_CLEAR + rtp.TAG + rtp.SUFFIX:
            inner = self._decrypt(plain[-4:], plain[:8], plain[8:-4])
            assert opened == ("bad_tag" if inner is None else plain[:8] + inner)
        if isinstance(opened, str):
            return f"rtcp {opened}"
        self._judge_rtcp(exactly(opened), opened)
        return "rtcp"


def _ours(call: Callable[[], Any]) -> Any:
    """Return what ``call`` returns, or the reason for which it refuses."""
    try:
        return call()
    except InvalidPacket as error:
        return str(error.reason)
    except DecryptionFailed:
        return "bad_tag"


def _theirs(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except rtp.BadError as error:
        return error.reason
    except rtcp.MalformedError:
        return "bad_rtcp"


def _fields(packet: Any) -> tuple[Any, ...]:
    return tuple(getattr(packet, name) for name in FIELDS)


def _values(packets: Any) -> list[Any]:
    return [(type(packet).__name__, *_strip(packet)) for packet in packets]


def _strip(value: Any) -> Any:
    """Return structs as plain tuples, all the way down."""
    if isinstance(value, msgspec.Struct):
        return tuple(_strip(item) for item in msgspec.structs.astuple(value))
    if isinstance(value, tuple):
        return tuple(_strip(item) for item in value)
    return value
