"""The numbers of the protocol: opcodes, flags, and the names under which things are counted.

Close codes and what follows from each are in `voicekit.close_codes`.
"""

from enum import IntEnum, IntFlag, StrEnum

__all__ = [
    "SILENCE_FRAME",
    "ClientFlag",
    "DropReason",
    "Opcode",
    "Platform",
    "SpeakingFlags",
]

#: One 20 ms Opus frame of silence; five of them end a talk spurt.
#: https://discord.com/developers/docs/topics/voice-connections#voice-data-interpolation
SILENCE_FRAME = b"\xf8\xff\xfe"


class Opcode(IntEnum):
    """Voice gateway opcodes. C: sent by clients, S: sent by servers, B: binary messages."""

    IDENTIFY = 0  # C
    SELECT_PROTOCOL = 1  # C
    READY = 2  # S
    HEARTBEAT = 3  # C, S asks for one
    SESSION_DESCRIPTION = 4  # S
    SPEAKING = 5  # C S
    HEARTBEAT_ACK = 6  # S
    RESUME = 7  # C
    HELLO = 8  # S
    RESUMED = 9  # S
    CLIENTS_CONNECT = 11  # S
    VIDEO = 12  # C S, undocumented
    CLIENT_DISCONNECT = 13  # S
    SESSION_UPDATE = 14  # C S, undocumented
    MEDIA_SINK_WANTS = 15  # C S, undocumented
    VOICE_BACKEND_VERSION = 16  # C S, undocumented
    CLIENT_FLAGS = 18  # S, undocumented
    CLIENT_PLATFORM = 20  # S, undocumented
    DAVE_PREPARE_TRANSITION = 21  # S
    DAVE_EXECUTE_TRANSITION = 22  # S
    DAVE_TRANSITION_READY = 23  # C
    DAVE_PREPARE_EPOCH = 24  # S
    MLS_EXTERNAL_SENDER = 25  # S B
    MLS_KEY_PACKAGE = 26  # C B
    MLS_PROPOSALS = 27  # S B
    MLS_COMMIT_WELCOME = 28  # C B
    MLS_ANNOUNCE_COMMIT_TRANSITION = 29  # S B
    MLS_WELCOME = 30  # S B
    MLS_INVALID_COMMIT_WELCOME = 31  # C
    NO_ROUTE = 32  # C, undocumented


class SpeakingFlags(IntFlag):
    """Bits of ``speaking`` in op 5. A client must send a non-zero value before audio."""

    NONE = 0
    MICROPHONE = 1
    SOUNDSHARE = 2
    PRIORITY = 4


class ClientFlag(IntFlag):
    """Bits of ``flags`` in op 18 (undocumented)."""

    CLIPS_ENABLED = 1
    ALLOW_VOICE_RECORDING = 2
    ALLOW_ANY_VIEWER_CLIPS = 4


class Platform(IntEnum):
    """Values of ``platform`` in op 20 (undocumented)."""

    DESKTOP = 0
    MOBILE = 1
    XBOX = 2
    PLAYSTATION = 3


class DropReason(StrEnum):
    """Why a datagram, or a frame to be sent, was dropped. Keys of ``stats().drops``."""

    # Received datagrams, in the order in which they are judged.
    TOO_SHORT = "too_short"  # shorter than the smallest packet of its kind
    BAD_VERSION = "bad_version"  # not RTP version 2, nor any packet this protocol knows
    STALE_LINK = "stale_link"  # came for a socket that was replaced
    KEEPALIVE = "keepalive"  # echo of a keepalive
    DISCOVERY = "discovery"  # discovery reply that is late, foreign or malformed
    NO_KEY = "no_key"  # before the session description
    PAYLOAD_TYPE = "payload_type"  # not Opus (120): video, say
    BAD_HEADER = "bad_header"  # CSRCs or extension preamble reach past the end
    BAD_TAG = "bad_tag"  # authentication failed
    BAD_EXTENSION = "bad_extension"  # extension body reaches past the plaintext
    BAD_PADDING = "bad_padding"  # padding length 0 or longer than the payload
    EMPTY = "empty"  # no audio left once padding was removed
    OWN_SSRC = "own_ssrc"  # our own SSRC came back
    TOO_MANY_SSRCS = "too_many_ssrcs"  # over Config.max_ssrcs
    DUPLICATE = "duplicate"  # sequence number seen before, or older than the window
    BAD_RTCP = "bad_rtcp"  # decrypted, but not RTCP
    UNKNOWN_SSRC = "unknown_ssrc"  # nobody claimed the SSRC in time
    HOLD_OVERFLOW = "hold_overflow"  # pushed out of the hold ring by newer packets
    QUEUE_OVERFLOW = "queue_overflow"  # the host did not poll in time
    UNDECRYPTABLE = "undecryptable"  # the DAVE layer has no key that fits
    USER_LEFT = "user_left"  # held for an SSRC whose user left
    # Frames to be sent.
    NOT_READY = "not_ready"  # no session yet, or it is being re-made
    BAD_FRAME = "bad_frame"  # empty, too large, or not Opus
    NONCE_EXHAUSTED = "nonce_exhausted"  # see errors.NonceExhausted
