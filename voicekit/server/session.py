"""What the server knows of its sockets, sessions and rooms. Data; the rules are elsewhere.

A *socket* is one WebSocket. A *session* is one user in one room; it outlives its socket by
the resume window. A *room* is one channel of one server (guild): its members hear each other.
"""

import math
from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING

from .._crypto import TransportCipher
from ..link import Link
from .frames import FrameKind
from .judge import Judge
from .limits import TokenBucket
from .mischief import Mischief
from .nonces import NonceLog
from .replay import ReplayBuffer
from .stats import SessionStats

if TYPE_CHECKING:
    from .._rtp import RtpPacket
    from .blind import MediaRoute
    from .encryption import Encryption
    from .judge import BadReason
    from .reports import Reports
    from .timers import Timer

__all__ = ["Address", "HeldPacket", "Key", "Phase", "Room", "Session", "Socket"]

Address = tuple[str, int]

#: Our half of the nonces of a key; clients count in the other one. Both directions share it.
SERVER_NONCES = 2**31


class Phase(IntEnum):
    """How far the handshake of a socket is."""

    OPEN = 0  #: neither identified nor resumed
    READY = 1  #: has op 2
    ESTABLISHED = 2  #: has op 4


class Socket:
    """One WebSocket, from its opening to its close."""

    def __init__(self, link: int, version: int, bucket: TokenBucket, now: float) -> None:
        self.link = link
        self.version = version
        self.bucket = bucket
        self.session: Session | None = None
        self.heard_at = now  #: the last heartbeat
        self.timer: Timer | None = None  #: must identify, later: must heartbeat
        self.mischief: Mischief | None = None

    @property
    def phase(self) -> Phase:
        """How far the handshake is."""
        if self.session is None:
            return Phase.OPEN
        return Phase.READY if self.session.key is None else Phase.ESTABLISHED


class Key:
    """One secret key of a session: the cipher of both directions, and the nonces heard."""

    def __init__(self, mode: str, secret: bytes) -> None:
        self.cipher = TransportCipher(mode, secret, nonce_start=SERVER_NONCES)
        self.nonces = NonceLog()

    @property
    def mode(self) -> str:
        """The transport encryption."""
        return self.cipher.mode


class HeldPacket:
    """Audio that came before its op 5: both may overtake each other."""

    __slots__ = ("arrived", "packet", "reason")

    def __init__(self, packet: "RtpPacket", reason: "BadReason | None", arrived: float) -> None:
        self.packet = packet
        self.reason = reason
        self.arrived = arrived


class Room:
    """One channel. Its id is None while only clients that name none are in it."""

    def __init__(self, server_id: int, channel_id: int | None) -> None:
        self.server_id = server_id
        self.channel_id = channel_id
        self.other_channels: set[int] = set()  #: what it is not, while its id is not known
        self.members: dict[int, Session] = {}  #: by user id
        self.encryption: Encryption | None = None  #: None: in clear, for good or so far
        self.secret: bytes | None = None  #: the one key of all, where media is passed on as it is


class Session:
    """One user in one room."""

    def __init__(
        self,
        room: Room,
        user_id: int,
        session_id: str,
        token: str,
        ssrc: int,
        replay: ReplayBuffer,
        bucket: TokenBucket,
    ) -> None:
        self.room = room
        self.user_id = user_id
        self.session_id = session_id
        self.token = token
        self.ssrc = ssrc
        self.ordinal = 0  #: of all sessions of the server; seeds its bad network
        self.version = 0  #: of the newest socket
        self.socket: Socket | None = None
        self.ended = False
        self.close_code: int | None = None
        self.resume_timer: Timer | None = None

        # What it is told, and what that takes.
        self.replay = replay
        self.acks_stopped_until = -math.inf
        self.refuse_resumes = 0
        self.resumes = 0
        self.heartbeats = 0
        self.messages_received = 0
        self.messages_bad: Counter[str] = Counter()

        # End-to-end encryption.
        self.max_dave_version = 0  #: what Identify offered
        self.messages_late = 0  #: commits that another was before, and the like
        self.announced_versions: dict[int, int] = {}  #: by transition id, until op 22

        # Speaking: None until its first op 5. Audio counts as early from SPEAKING_GRACE
        # after `silent_since` on.
        self.speaking: int | None = None
        self.silent_since = -math.inf
        self.video: dict[str, object] | None = None

        # Media from it.
        self.key: Key | None = None
        self.previous_key: Key | None = None
        self.previous_key_until = -math.inf
        self.bucket = bucket
        self.judge = Judge(ssrc)
        self.held: list[HeldPacket] = []
        self.hold_timer: Timer | None = None
        self.heard = 0  #: packets that went on to the others
        self.reports: Reports | None = None
        self.report_timer: Timer | None = None
        self.keepalives = 0

        # Media that is not opened: what `route` has not counted, or not any more.
        self.route: MediaRoute | None = None
        self.media_received = 0
        self.media_passed = 0

        # Media to it.
        self.observed: Address | None = None  #: where its last discovery request came from
        self.address: Address | None = None  #: where its media goes
        self.network: Link | None = None
        self.network_timer: Timer | None = None
        self.packets_sent = 0
        self.rtcp_sent = 0
        self.dropped_to = 0

    def __repr__(self) -> str:
        return f"<Session user_id={self.user_id} ssrc={self.ssrc}>"

    @property
    def timers(self) -> list["Timer"]:
        """All that is armed for it."""
        timers = (self.resume_timer, self.hold_timer, self.network_timer, self.report_timer)
        return [timer for timer in timers if timer is not None]

    @property
    def others(self) -> list["Session"]:
        """The other members of the room."""
        return [member for member in self.room.members.values() if member is not self]

    @property
    def state(self) -> str:
        """One word for `SessionStats`."""
        if self.ended:
            return "ended"
        if self.socket is None:
            return "detached"
        return "ready" if self.key is None else "established"

    @property
    def dave_version(self) -> int:
        """The DAVE version that is in force for it: that of its call."""
        encryption = self.room.encryption
        return encryption.version if encryption is not None and self.key is not None else 0

    def stats(self) -> SessionStats:
        """A snapshot of what was counted."""
        route = self.route
        return SessionStats(
            user_id=self.user_id,
            server_id=self.room.server_id,
            channel_id=self.room.channel_id,
            ssrc=self.ssrc,
            gateway_version=self.version,
            state=self.state,
            mode=None if self.key is None else self.key.mode,
            dave_version=self.dave_version,
            packets_valid=self.judge.valid,
            packets_bad={str(reason): n for reason, n in dict(self.judge.bad).items()},
            packets_missing=self.judge.missing,
            packets_reordered=self.judge.reordered,
            rtcp_valid=self.judge.rtcp_valid,
            frames_e2ee=self.judge.frames[FrameKind.E2EE],
            frames_clear=self.judge.frames[FrameKind.CLEAR],
            frames_silence=self.judge.frames[FrameKind.SILENCE],
            keepalives=self.keepalives,
            media_received=self.media_received + (0 if route is None else route.received),
            media_passed=self.media_passed + (0 if route is None else route.passed),
            packets_sent=self.packets_sent,
            rtcp_sent=self.rtcp_sent,
            dropped_to=self.dropped_to,
            messages_received=self.messages_received,
            messages_bad=dict(self.messages_bad),
            messages_late=self.messages_late,
            heartbeats=self.heartbeats,
            resumes=self.resumes,
            close_code=self.close_code,
        )
