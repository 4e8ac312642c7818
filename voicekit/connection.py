"""One voice call without I/O: gateway, discovery, RTP, transport crypto and the DAVE seam.

The contract, after quinn and str0m:

1. Call one mutator (`receive_*`, `websocket_*`, `udp_*`, `update_*`, `handle_timeout`,
   `start`, `close`, `send_audio`, `stop_audio`, `set_speaking`).
2. Call `poll` until it returns None; do what each output says, hand each event on.
3. Read `next_timeout`, sleep until then at the latest, call `handle_timeout`.

Nothing here reads a clock or opens a socket. ``now`` is in seconds on a clock of the
caller's choice that never goes back. What a server or a stranger sends never raises.
"""

import random as random_module

from ._crypto import choose_mode
from ._datapath import Datapath, Mutation
from ._frame import AudioFrame
from ._gateway import Gateway, GatewayState
from ._session import RtpSession
from .codes import SILENCE_FRAME, DropReason, SpeakingFlags
from .config import Config
from .dave import DaveMachine, DaveSession, Passthrough, load_backend
from .discovery import Discovered
from .errors import ModeUnavailable
from .events import (
    AudioStopped,
    Closed,
    DaveFailed,
    DaveTransition,
    ProtocolViolation,
    SessionReady,
    SessionResumed,
    VideoChanged,
)
from .gateway_events import GatewayDescribed, GatewayEvent, GatewayMessage, GatewayReady
from .messages import BINARY_OPS, ClientDisconnect, ClientsConnect, Speaking
from .outputs import GatewayOutput, SendDatagram
from .server_info import VoiceServerInfo
from .stats import ConnectionStats
from .talk_spurt import TalkSpurt
from .udp_path import PathFailed, PathOutput, UdpPath

__all__ = ["VoiceConnection"]

#: Has no state but, being a `random.Random`, 2.5 KB of it: one for all connections.
_RANDOM = random_module.SystemRandom()


class VoiceConnection(Datapath):
    """One call, from a `VoiceServerInfo` to audio both ways.

    Outputs of `poll` are in `voicekit.outputs`, events in `voicekit.events`. A connection
    may move between threads but not be entered by two at once: `LocalProtocolError`.
    """

    def __init__(
        self,
        info: VoiceServerInfo,
        *,
        config: Config | None = None,
        dave: DaveSession | None = None,
        dave_identity: bytes | None = None,
        random: random_module.Random | None = None,
    ) -> None:
        self._info = info
        self._config = config if config is not None else Config()
        self._random = random if random is not None else _RANDOM
        self._dave = dave if dave is not None else _make_dave(self._config, dave_identity)
        self._dave_generation = self._dave.generation
        self._send_epoch = self._dave.send_epoch.current
        self._dave_violations = 0
        self._dave_begun = False  # this session has had its first transition
        self._gateway = Gateway(
            info,
            config=self._config,
            random=self._random,
            max_dave_version=self._dave.max_version,
        )
        session = RtpSession(0, config=self._config, dave=self._dave, random=self._random)
        super().__init__(session, self._config.max_pending)
        self._mutation = Mutation(self)
        self._timer_lateness = 0.0
        self._ignored_links = 0

        self._path = UdpPath(self._config)
        self._talk = TalkSpurt()
        self._channel_id = info.channel_id
        self._has_media = False  # from Ready on, as long as the session lives
        self._mode = ""
        self._described: GatewayDescribed | None = None
        self._address = ("", 0)
        self._address_told = True  # nothing to tell yet
        self._rtcp_at: float | None = None

    def __repr__(self) -> str:
        return f"<VoiceConnection {self._info!r} {self._gateway.state.name}>"

    # -- getters: change nothing, any thread --------------------------------------

    @property
    def info(self) -> VoiceServerInfo:
        """What the connection was made from; updates do not show here."""
        return self._info

    @property
    def state(self) -> GatewayState:
        """Where the gateway stands. Audio can be sent when `is_ready`."""
        return self._gateway.state

    @property
    def is_ready(self) -> bool:
        """Whether audio sent now goes out: a key and an open UDP socket are there."""
        return self._described is not None and self._path.is_usable

    @property
    def is_closed(self) -> bool:
        """Whether the call is over."""
        return self._gateway.state is GatewayState.CLOSED

    @property
    def lent(self) -> bool:
        """Whether a pacer seals and sends: then audio is pushed to it, not to us."""
        return self._rtp.is_lent

    @property
    def ssrc(self) -> int | None:
        """Our SSRC; None without a session."""
        return self._gateway.ssrc

    @property
    def latency(self) -> float | None:
        """Last heartbeat round trip in seconds; None until known."""
        return self._gateway.latency

    @property
    def average_latency(self) -> float | None:
        """Mean of the last 20 heartbeat round trips in seconds; None until known."""
        return self._gateway.average_latency

    @property
    def mode(self) -> str | None:
        """Transport encryption of this session, such as ``"aead_aes256_gcm_rtpsize"``."""
        return None if self._described is None else self._described.mode

    @property
    def dave_version(self) -> int:
        """End-to-end encryption in force; 0: none."""
        return self._dave.version

    @property
    def is_encrypted(self) -> bool:
        """Whether what is sent now is end-to-end encrypted."""
        return self._dave.version > 0

    @property
    def awaits_group(self) -> bool:
        """Whether audio had better wait: others are here, and their MLS group takes us in soon.

        What is sent before goes out in clear, and those who are encrypted refuse it.
        """
        described = self._described
        agreed = described is not None and described.dave_version > 0
        return agreed and not self._dave_begun and bool(self._gateway.users)

    @property
    def dave_epoch(self) -> int | None:
        """The MLS group's epoch; None without one, or where only the server knows it."""
        return self._dave.epoch

    @property
    def dave_members(self) -> tuple[int, ...]:
        """Users in the MLS group: those who can hear us."""
        return self._dave.members

    @property
    def privacy_code(self) -> str | None:
        """30 digits that everybody in the call sees alike; None without a group."""
        return self._dave.privacy_code

    def verification_code(self, user_id: int) -> str | None:
        """Return 45 digits to compare with a member, None for a stranger. Takes some 80 ms."""
        with self._mutation(None):
            return self._dave.verification_code(user_id)

    def user_of(self, ssrc: int) -> int | None:
        """Return the user that sends under ``ssrc``, or None."""
        return self._rtp.user_of(ssrc)

    def ssrcs_of(self, user_id: int) -> tuple[int, ...]:
        """Return the SSRCs under which a user sends."""
        return self._rtp.ssrcs_of(user_id)

    def stats(self) -> ConnectionStats:
        """Return a snapshot of all counters. Any thread; never blocks."""
        rtp, gateway = self._rtp, self._gateway
        return ConnectionStats(
            state=gateway.state.name,
            latency=gateway.latency,
            average_latency=gateway.average_latency,
            packets_sent=rtp.packets_sent,
            bytes_sent=rtp.bytes_sent,
            frames_sent_clear=rtp.frames_sent_clear,
            dave=self._dave.counts,
            packets_received=rtp.packets_received,
            bytes_received=rtp.bytes_received,
            rtcp_sent=rtp.rtcp_sent,
            rtcp_received=rtp.rtcp_received,
            drops=rtp.drops,
            violations=gateway.violations + self._dave_violations,
            ignored_messages=gateway.ignored + self._ignored_links,
            reconnects=gateway.reconnects,
            resumes=gateway.resumes,
            max_timer_lateness=self._timer_lateness,
            streams=rtp.stream_stats(),
        )

    # -- the loop ---------------------------------------------------------------

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Too early does nothing; how late it came is in the statistics."""
        late = self._expire_streams(now)
        if late >= 0.0:
            self._timer_lateness = max(self._timer_lateness, late)
            return
        with self._mutation(now):
            due = self.next_timeout()
            if due is None or now < due:
                return
            self._timer_lateness = max(self._timer_lateness, now - due)
            self._gateway.handle_timeout(now)
            self._rtp.handle_timeout(now)
            self._path.handle_timeout(now)
            self._dave.handle_timeout(now)
            if self._rtcp_at is not None and now >= self._rtcp_at:
                self._send_rtcp(now)
            silence_at = self._talk.next_timeout()
            if silence_at is not None and now >= silence_at:
                self._send_silence(silence_at, now)

    # -- the host ---------------------------------------------------------------

    def start(self, now: float, wall: float | None = None) -> None:
        """Begin. ``wall`` is the Unix time at ``now``, needed only for RTCP sender reports."""
        with self._mutation(now):
            if wall is not None:
                self._rtp.set_wall_clock(now, wall)
            self._gateway.start(now)

    def close(self, now: float) -> None:
        """Leave the call at once (close 1000). `stop_audio` first makes a tidy end of speech."""
        with self._mutation(now):
            self._gateway.close(now)

    def close_with_code(self, code: int, now: float) -> None:
        """Close the WebSocket with ``code``, then act as if the server had done it.

        1000 and 1001 leave the call; 4000, say, makes it resume. Raises `NotConnected` without one.
        """
        with self._mutation(now):
            self._gateway.close_with_code(code, now)

    def send(self, op: int, data: object, now: float) -> None:
        """Send a message of your own on the gateway: a struct of `voicekit.messages` or JSON.

        Raises `NotConnected` without a session, `LocalProtocolError` for what is ours to send.
        """
        with self._mutation(now):
            self._gateway.send(op, data, now)

    def update_voice_state(self, channel_id: int | None, session_id: str, now: float) -> None:
        """Take our own VOICE_STATE_UPDATE; a null channel means that we are out."""
        with self._mutation(now):
            self._gateway.update_voice_state(channel_id, session_id, now)
            if channel_id is not None:
                self._channel_id = channel_id

    def update_voice_server(self, token: str, endpoint: str | None, now: float) -> None:
        """Take a VOICE_SERVER_UPDATE; a null endpoint means that the server is gone."""
        with self._mutation(now):
            self._gateway.update_voice_server(token, endpoint, now)

    # -- the WebSocket ------------------------------------------------------------

    def websocket_opened(self, link: int, now: float) -> None:
        """Say that the WebSocket asked for by ``OpenWebSocket(link)`` is open."""
        with self._mutation(now):
            self._gateway.websocket_opened(link, now)

    def websocket_failed(self, link: int, why: str, now: float) -> None:
        """Say that it could not be opened."""
        with self._mutation(now):
            self._gateway.websocket_failed(link, why, now)

    def websocket_closed(self, link: int, code: int | None, reason: str, now: float) -> None:
        """Say that it was closed or lost. ``code`` is None where there was no close frame."""
        with self._mutation(now):
            self._gateway.websocket_closed(link, code, reason, now)

    def receive_text(self, link: int, text: str, now: float) -> None:
        """Take one text message."""
        with self._mutation(now):
            self._gateway.receive_text(link, text, now)

    def receive_binary(self, link: int, data: bytes, now: float) -> None:
        """Take one binary message."""
        with self._mutation(now):
            self._gateway.receive_binary(link, data, now)

    # -- the UDP socket -----------------------------------------------------------

    def udp_opened(self, link: int, now: float) -> None:
        """Say that the socket asked for by ``OpenUdp(link)`` is open and connected."""
        with self._mutation(now):
            if not self._path.opened(link, now):
                self._ignored_links += 1

    def udp_failed(self, link: int, why: str, now: float) -> None:
        """Say that it could not be opened, or that it broke. A lost datagram is no failure."""
        with self._mutation(now):
            if not self._path.failed(link, why, now):
                self._ignored_links += 1

    def _receive_early(self, link: int | None, data: bytes, now: float) -> AudioFrame | None:
        """Take a datagram of an old socket, or of ours (None) before our address is known."""
        path = self._path
        if link is not None and (link != path.link or not path.is_open):
            self._rtp.drop(DropReason.STALE_LINK, len(data))
            return None
        if path.receive_datagram(data, now):
            self._settle(now)
            return None
        return self._rtp.receive(data, now)

    # -- our own audio ------------------------------------------------------------

    def start_audio(self, now: float) -> bool:
        """Show ourselves as speaking, for audio that a pacer sends; False: not ready."""
        with self._mutation(now):
            return self._may_send(now)

    def stop_audio(self, now: float) -> None:
        """End the talk spurt: five silence frames, one per 20 ms, then Speaking 0.

        `AudioStopped` tells when it is done, at once where nothing was being sent, or
        where a pacer sends: the silence is its business.
        """
        with self._mutation(now):
            if self._talk.wanted and self.is_ready and not self.lent:
                self._talk.end(self._audio_at, now)
            else:
                self._end_of_silence(now)

    def set_speaking(self, flags: int, now: float) -> None:
        """Show ourselves as speaking (`SpeakingFlags`), or not (0)."""
        with self._mutation(now):
            self._talk.wanted = SpeakingFlags(flags)
            self._announce_speaking(now)

    # -- parts: what each has to say ------------------------------------------------

    def _settle(self, now: float) -> None:
        """Let every part speak, and look how things stand after it."""
        if self._rtp.is_exhausted:
            self._gateway.renegotiate("every nonce of the transport key is used", now)
        self._collect(now)
        self._survey()

    def _survey(self) -> None:
        """Say which ways are open to the next packets, and which timeout comes next."""
        talk, path = self._talk, self._path
        speaking = bool(talk.wanted) and talk.is_announced and not talk.is_ending
        times = (
            self._gateway.next_timeout(),
            path.next_timeout(),
            talk.next_timeout(),
            self._dave.next_timeout(),
            self._rtcp_at,
        )
        due = min((time for time in times if time is not None), default=None)
        link = path.link if path.is_usable else 0
        self._open_ways(self.is_ready and speaking, link, due)

    def _collect(self, now: float) -> None:
        """Move outputs and events of the parts to the queue, acting on what is ours.

        Acting on one part's word can make another speak, hence the outer loop; it ends
        since each message that came in moves each part at most once.
        """
        gateway, path = self._gateway, self._path
        spoke = True
        while spoke:
            self._drain_gateway(now)
            if self._has_media and gateway.ssrc is None:
                self._drop_session()
            while (found := path.poll()) is not None:
                self._take_from_path(found, now)
            if gateway.state is GatewayState.OPEN:
                while (message := self._dave.poll()) is not None:
                    self._send_dave(*message, now)
            spoke = self._drain_gateway(now)
        while (dave_event := self._dave.poll_event()) is not None:
            self._dave_violations += isinstance(dave_event, ProtocolViolation)
            self._dave_begun |= isinstance(dave_event, DaveTransition | DaveFailed)
            self._queue(dave_event)
        if self._dave_generation != self._dave.generation:
            self._dave_generation = self._dave.generation
            self._rtp.retry(now)
        if self._send_epoch != self._dave.send_epoch.current:
            self._send_epoch = self._dave.send_epoch.current
            self._rtp.renew()
        while (event := self._rtp.poll()) is not None:
            self._queue(event)

    def _drain_gateway(self, now: float) -> bool:
        spoke = False
        while (item := self._gateway.poll()) is not None:
            self._take_from_gateway(item, now)
            spoke = True
        return spoke

    def _take_from_gateway(self, item: GatewayOutput | GatewayEvent, now: float) -> None:
        match item:
            case GatewayReady():
                self._begin_session(item, now)
                return
            case GatewayDescribed():
                self._use_key(item, now)
                return
            case GatewayMessage(op, data):
                self._take_message(op, data, now)
                return
            case SessionResumed():
                self._dave.resumed(now)
                self._talk.announced = None  # servers may have forgotten it
                self._tell_address(now)
                self._announce_speaking(now)
            case VideoChanged(user_id, audio_ssrc) if audio_ssrc:
                self._rtp.map_ssrc(audio_ssrc, user_id, now)
            case Closed():
                self._drop_session()
        self._queue(item)

    def _take_from_path(self, item: PathOutput, now: float) -> None:
        match item:
            case Discovered(address, port):
                self._address = (address, port)
                self._address_told = False
                self._tell_address(now)
                if self._described is not None:
                    self._path.keep_alive(now)  # the new socket's first
            case PathFailed(error):
                self._gateway.fail(error, now)
            case _:
                self._queue(item)

    def _take_message(self, op: int, data: object, now: float) -> None:
        match data:
            case Speaking(speaking=flags, ssrc=ssrc, user_id=user_id) if user_id is not None:
                self._rtp.speaking(ssrc, int(user_id), flags, now)
            case ClientsConnect(user_ids):
                self._dave.users_joined(tuple(int(user_id) for user_id in user_ids), now)
            case ClientDisconnect(user_id):
                self._rtp.remove_user(int(user_id), now)
                self._dave.user_left(int(user_id), now)
            case bytes():
                self._dave.receive_binary(op, data, now)
            case _:
                self._dave.receive_json(op, data, now)

    def _send_dave(self, op: int, payload: object, now: float) -> None:
        if op in BINARY_OPS:
            assert isinstance(payload, bytes)
            self._gateway.send_binary(op, payload, now)
        else:
            self._gateway.send(op, payload, now)

    # -- the media session ------------------------------------------------------------

    def _begin_session(self, ready: GatewayReady, now: float) -> None:
        self._drop_session()
        try:
            self._mode = choose_mode(ready.modes, self._config.modes)
        except ModeUnavailable as error:
            self._gateway.fail(error, now)
            return
        self._has_media = True
        self._dave.identifying()
        self._dave.users_joined(self._gateway.users, now)  # op 11 may come before op 2
        self._rtp.reset(ready.ssrc)
        self._path.open(ready.ssrc, ready.ip, ready.port)

    def _tell_address(self, now: float) -> None:
        """Send op 1, now or as soon as the gateway is there again."""
        if not self._address_told and self._gateway.state in _SELECTING:
            self._address_told = True
            self._gateway.select_protocol(*self._address, self._mode, now)

    def _use_key(self, described: GatewayDescribed, now: float) -> None:
        renewed = self._described is not None  # the same session, with another mode or key
        self._described = described
        self._rtp.set_key(described.mode, described.secret_key)
        if not renewed:
            self._dave_begun = False
            self._dave.session_described(
                described.dave_version, self._channel_id, self._info.user_id, now
            )
        ssrc, version = self._rtp.ssrc, described.dave_version
        self._queue(SessionReady(ssrc, described.mode, version, *self._address))
        self._path.keep_alive(now)
        if self._config.rtcp:
            self._rtcp_at = now + self._config.rtcp_interval
        if self._config.receive_only:
            # Servers send nothing to those that never sent anything.
            self._talk.wanted = self._config.speaking_flags
            self._talk.end(self._audio_at, now)
        self._announce_speaking(now)

    def _drop_session(self) -> None:
        """Forget the media session: its key, socket and timers. Idempotent."""
        if self._has_media:
            self._has_media = False
            self._described = None
            self._rtcp_at = None
            self._rtp.close()
            self._path.close()
            if self._talk.drop():
                self._queue(AudioStopped())

    def _send_rtcp(self, now: float) -> None:
        report = self._rtp.build_report(now)
        if report is not None and self.is_ready:
            self._queue(SendDatagram(self._path.link, report))
        self._rtcp_at = now + self._config.rtcp_interval

    # -- sending audio ------------------------------------------------------------------

    def _may_send(self, now: float) -> bool:
        """Whether audio can go out now; Speaking has gone first."""
        talk = self._talk
        if not self.is_ready:
            return False
        if not talk.wanted:
            talk.wanted = self._config.speaking_flags
        if talk.announced != talk.wanted:
            self._announce_speaking(now)
        if not talk.announced:
            return False  # without a WebSocket to announce it on, audio would be lost anyway
        talk.resume()
        return True

    def _send_silence(self, due: float, now: float) -> None:
        if self.lent:
            self._talk.resume()  # a pacer took over, and ends in its own way
            return
        if not self._may_send(now):
            self._rtp.drop(DropReason.NOT_READY, len(SILENCE_FRAME))
        elif (datagram := self._rtp.seal_audio(SILENCE_FRAME, now)) is not None:
            self._queue(SendDatagram(self._path.link, datagram))
        if not self._talk.silence_sent(due, now):
            self._end_of_silence(now)

    def _end_of_silence(self, now: float) -> None:
        self._talk.wanted = SpeakingFlags.NONE
        self._announce_speaking(now)
        self._queue(AudioStopped())

    def _announce_speaking(self, now: float) -> None:
        """Send op 5 if there is a session to send it in and it says something new."""
        talk = self._talk
        open_session = self._gateway.state is GatewayState.OPEN and self._described is not None
        if open_session and not talk.is_announced:
            self._gateway.set_speaking(talk.wanted, now)
            talk.announced = talk.wanted
            self._drain_gateway(now)  # so that it is polled before the audio it announces


def _make_dave(config: Config, identity: bytes | None) -> DaveSession:
    if not config.dave:
        return Passthrough()
    backend = load_backend(config.dave_backend, identity)
    return DaveMachine(backend, require_e2ee=config.require_e2ee)


#: Where op 1 may be sent: after Ready, and again to renegotiate.
_SELECTING = frozenset({GatewayState.SELECTING, GatewayState.OPEN})
