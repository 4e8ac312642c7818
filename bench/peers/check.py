"""Like is compared with like: what a peer seals voicekit opens, and the other way round.

Each piece of work is done once before it is measured, on what we hand over, and what comes
back is looked at. From then on the peer works on that very input.
"""

from collections.abc import Callable

from voicekit._crypto import TransportCipher
from voicekit._extensions import audio_level_element, speaker_flags_element
from voicekit._rtp import seal_packet
from voicekit.opus import Decoder, Encoder

from ..libraries import CIPHERS
from ..music import music
from ..peer_process import Peer, PeerFailed
from ..peer_worker import HEADER, KEY
from .group import Group
from .workers.codec import BITRATE, joined, split

__all__ = ["OPUS", "check"]

#: 20 ms at 64 kbit/s; the first byte says stereo CELT.
OPUS = b"\xfc" + bytes(range(159))
HEADER_SIZE = len(HEADER)
EXTENSION = (audio_level_element(30), speaker_flags_element(1))


def check(peer: Peer) -> dict[str, str]:
    """Have a peer do each piece of its work once; return what it does not do right, and why."""
    wrong = {}
    group: Group | None = None
    for name in sorted(peer.work):
        kind, _, detail = name.partition("/")
        try:
            if kind == "seal+dave" and group is None:
                group = Group(peer.receive)
            if not _CHECKS[kind](peer, name, detail, group):
                wrong[name] = "voicekit does not get the same out of it"
        except (PeerFailed, RuntimeError, ValueError) as error:
            wrong[name] = str(error)
    return wrong


def _seal(peer: Peer, name: str, cipher: str, group: Group | None) -> bool:
    """A datagram of the peer's: ours to open."""
    return _opened(peer.check(name, OPUS), cipher) == OPUS


def _seal_end_to_end(peer: Peer, name: str, cipher: str, group: Group | None) -> bool:
    assert group is not None
    frame = _opened(peer.check(name, OPUS), cipher)
    return frame != OPUS and group.decrypt(frame) == OPUS


def _open(peer: Peer, name: str, cipher: str, group: Group | None) -> bool:
    """A datagram of ours: the peer's to open."""
    return peer.check(name, _sealed(cipher)) == OPUS


def _open_extension(peer: Peer, name: str, cipher: str, group: Group | None) -> bool:
    return peer.check(name, _sealed(cipher, EXTENSION)) == OPUS


def _codec(peer: Peer, name: str, which: str, group: Group | None) -> bool:
    """Half a second of music: the very packets, or the very samples, that we make of it."""
    encoder, decoder = Encoder(48_000, 2, "audio"), Decoder()
    encoder.bitrate = BITRATE
    frames = music()
    packets = [encoder.encode(frame) for frame in frames]
    if which == "encode":
        return split(peer.check(name, joined(frames))) == packets
    return split(peer.check(name, joined(packets))) == [decoder.decode(item) for item in packets]


def _cipher(name: str) -> TransportCipher:
    return TransportCipher(CIPHERS[name], KEY, nonce_start=0)


def _opened(datagram: bytes, cipher: str) -> bytes:
    return _cipher(cipher).open(datagram, HEADER_SIZE)


def _sealed(cipher: str, extensions: tuple[tuple[int, bytes], ...] = ()) -> bytes:
    return seal_packet(
        _cipher(cipher), sequence=1, timestamp=960, ssrc=1, payload=OPUS, extensions=extensions
    )


#: By the part of the work's name before the slash.
_CHECKS: dict[str, Callable[[Peer, str, str, Group | None], bool]] = {
    "seal": _seal,
    "seal+dave": _seal_end_to_end,
    "bare-seal": _seal,
    "open": _open,
    "open+extension": _open_extension,
    "bare-open": _open,
    "opus": _codec,
}
