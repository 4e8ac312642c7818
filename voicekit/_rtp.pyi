from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Never, NoReturn, final

from typing_extensions import Buffer

from ._crypto import TransportCipher
from ._extensions import build_extensions as build_extensions
from ._extensions import parse_extensions as parse_extensions
from .codes import DropReason

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

HEADER_SIZE: Final[int]
PAYLOAD_TYPE_OPUS: Final[int]
SAMPLE_RATE: Final[int]
ONE_BYTE_PROFILE: Final[int]
TWO_BYTE_PROFILE: Final[int]
DROP_REASONS: Final[tuple[DropReason, ...]]

class PacketKind(IntEnum):
    RTP = 0
    RTCP = 1
    DISCOVERY = 2
    KEEPALIVE = 3
    UNKNOWN = 4

@final
class RtpPacket:
    def __init__(self, *args: Never, **kwargs: Never) -> NoReturn: ...
    @property
    def marker(self) -> bool: ...
    @property
    def payload_type(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def csrcs(self) -> tuple[int, ...]: ...
    @property
    def extension_profile(self) -> int | None: ...
    @property
    def extension_body(self) -> bytes: ...
    @property
    def extensions(self) -> tuple[tuple[int, bytes], ...]: ...
    @property
    def padding(self) -> int: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def nonce(self) -> int | None: ...
    @property
    def header_size(self) -> int: ...

def demux(data: Buffer, /) -> PacketKind: ...
def build_keepalive(counter: int, /) -> bytes: ...
def parse_packet(data: Buffer, /) -> RtpPacket: ...
def open_packet(cipher: TransportCipher, data: Buffer, /) -> RtpPacket: ...
def build_header(
    *,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload_type: int = 120,
    marker: bool = False,
    csrcs: Iterable[int] = (),
    extension_profile: int | None = None,
    extension_words: int = 0,
    padding: bool = False,
) -> bytes: ...
def build_packet(
    *,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload_type: int = 120,
    marker: bool = False,
    csrcs: Iterable[int] = (),
    extensions: Iterable[tuple[int, bytes]] = (),
    extension_profile: int = 0xBEDE,
    padding: int = 0,
    payload: Buffer = b"",
) -> bytes: ...
def seal_packet(
    cipher: TransportCipher,
    *,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: Buffer,
    marker: bool = False,
    payload_type: int = 120,
    csrcs: Iterable[int] = (),
    extensions: Iterable[tuple[int, bytes]] = (),
    extension_profile: int = 0xBEDE,
    padding: int = 0,
) -> bytes: ...
def opus_duration(packet: Buffer, /) -> int: ...
