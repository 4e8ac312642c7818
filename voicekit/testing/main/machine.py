"""The main gateway without its sockets: `MainServer`.

    shell                                  MainServer
    ───────────────────────────────────    ─────────────────────────────────────────────
    accepts a WebSocket                 →  websocket_opened(link, target, now)
    a message, a close                  →  receive_text, receive_binary, websocket_closed
    an event of a voice server's host   →  take_host_event(event, now)
    next_timeout() is due               →  handle_timeout(now)
    sends, closes                       ←  poll(), until None, after each of these

It never raises on what bots send: whatever is wrong is closed with the code for it.
https://discord.com/developers/docs/events/gateway
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from voicekit.outputs import CloseWebSocket
from voicekit.server import DropWebSocket, HostVoiceServer, HostVoiceState, VoiceServer
from voicekit.server.limits import TokenBucket
from voicekit.server.timers import Timers

from . import objects
from .encodings import pack_for
from .messages import (
    Identify,
    MainOp,
    Refused,
    RequestMembers,
    Resume,
    VoiceStateRequest,
    decode,
    event_intents,
)
from .sessions import Session, Socket
from .voice_states import VoiceStates
from .world import Channel, Guild, User, World

__all__ = ["MainServer", "MemberEvent"]

#: Discord's, in seconds.
HEARTBEAT_INTERVAL = 41.25
#: A session without a socket waits this long for its bot to resume it.
RESUME_WINDOW = 60.0
#: Messages of one socket: 120 in 60 seconds, then 4008.
RATE, BURST = 2.0, 120.0
MAX_MESSAGE = 4096
#: Where a client means to end its session; any other loss of the socket keeps it.
CLIENT_LEAVES = (1000, 1001)


class MemberEvent(msgspec.Struct, frozen=True):
    """An event for a member of a guild who has no gateway session: a speaker of a test."""

    user_id: int
    name: str
    data: dict[str, Any]

    def __repr__(self) -> str:
        return f"MemberEvent(user_id={self.user_id}, name={self.name!r}, data=<hidden>)"


class MainServer:
    """The gateway that bots log in to: their sessions, and what happens in their guilds."""

    def __init__(
        self,
        world: World,
        voice_servers: Sequence[VoiceServer],
        *,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        resume_window: float = RESUME_WINDOW,
    ) -> None:
        self.world = world
        self.timers = Timers()
        self.voice = VoiceStates(world, voice_servers, self.timers, self.tell)
        #: Where bots resume; the shell sets it once it listens.
        self.url = ""
        #: Events that this bit mask does not allow close with 4014 who asks for them.
        self.disallowed_intents = 0
        #: How often each close code was given, for tests of what bots do wrong.
        self.closes: dict[int, int] = {}
        self._heartbeat_interval = heartbeat_interval
        self._resume_window = resume_window
        self._sockets: dict[int, Socket] = {}
        self._sessions: dict[str, Session] = {}
        self._outputs: deque[object] = deque()
        self._numbers = 0

    def __repr__(self) -> str:
        return f"<MainServer: {len(self._sockets)} sockets, {len(self._sessions)} sessions>"

    # -- input ------------------------------------------------------------------------

    def websocket_opened(self, link: int, target: str, now: float) -> None:
        """Take an accepted WebSocket; ``target`` is such as ``/?v=10&encoding=json``."""
        pack = pack_for(target)
        if isinstance(pack, tuple):
            self._close_link(link, *pack)
            return
        socket = self._sockets[link] = Socket(link, pack, TokenBucket(RATE, BURST, now))
        self._watch(socket, now)
        interval = round(self._heartbeat_interval * 1000)
        self._send(socket, MainOp.HELLO, {"heartbeat_interval": interval, "_trace": []})

    def receive_text(self, link: int, text: str, now: float) -> None:
        """Take one text message."""
        self._receive(link, text.encode(errors="surrogatepass"), now)

    def receive_binary(self, link: int, data: bytes | bytearray | memoryview, now: float) -> None:
        """Take one binary message: JSON as well."""
        self._receive(link, bytes(data), now)

    def websocket_closed(self, link: int, code: int | None, now: float) -> None:
        """Take note that a WebSocket is closed; ``code`` None: without a close frame."""
        socket = self._sockets.pop(link, None)
        if socket is None:
            return  # we closed it
        self._unwatch(socket)
        if socket.session is not None:
            self._detach(socket.session, now, ends=code in CLIENT_LEAVES)

    def take_host_event(self, event: HostVoiceState | HostVoiceServer, now: float) -> None:
        """Take what a voice server says that the main gateway should tell."""
        self.voice.take(event)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        self.timers.run(now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is wanted next; None: never."""
        return self.timers.next_timeout()

    def poll(self) -> object | None:
        """Return the next thing to do or to know; None: no more."""
        return self._outputs.popleft() if self._outputs else None

    def stop(self, now: float) -> None:
        """Close all sockets (1001) and forget all sessions."""
        for socket in tuple(self._sockets.values()):
            self._close(socket, 1001, "the gateway stops")
        self._sessions.clear()
        self.timers.clear()

    # -- what goes wrong on purpose -------------------------------------------------------

    def sessions_of(self, user_id: int | None = None) -> list[Session]:
        """Return the sessions of a bot, or of all."""
        return [one for one in self._sessions.values() if user_id in (None, one.user_id)]

    def close(self, code: int, now: float, *, user_id: int | None = None) -> None:
        """Close the WebSocket of a bot, or of all. Codes that end a session end it."""
        for session in self.sessions_of(user_id):
            if (socket := session.socket) is not None:
                self._close(socket, code, "")
                self._detach(session, now, ends=code in (4004, 4007, 4009))

    def drop(self, now: float, *, user_id: int | None = None) -> None:
        """Cut the TCP connection without a close frame. The session can be resumed."""
        for session in self.sessions_of(user_id):
            if (socket := session.socket) is not None:
                self._forget(socket)
                self._outputs.append(DropWebSocket(socket.link))
                self._detach(session, now)

    def ask_reconnect(self, *, user_id: int | None = None) -> None:
        """Ask to reconnect and resume (op 7)."""
        self._say_each(user_id, MainOp.RECONNECT, None)

    def invalidate(self, now: float, *, user_id: int | None = None) -> None:
        """Say that the session is invalid and may not be resumed (op 9)."""
        for session in self.sessions_of(user_id):
            if (socket := session.socket) is not None:
                self._send(socket, MainOp.INVALID_SESSION, False)
                socket.session = session.socket = None
            self._end(session, now)

    def ask_heartbeat(self, *, user_id: int | None = None) -> None:
        """Ask for a heartbeat at once (op 1)."""
        self._say_each(user_id, MainOp.HEARTBEAT, None)

    def _say_each(self, user_id: int | None, op: MainOp, data: Any) -> None:
        for session in self.sessions_of(user_id):
            if session.socket is not None:
                self._send(session.socket, op, data)

    # -- what happens ---------------------------------------------------------------------

    def tell(self, name: str, data: dict[str, Any], guild: Guild, only: int | None) -> None:
        """Send an event to everybody in a guild, or to one user of it."""
        listeners = {one.user_id for one in self._sessions.values()}
        for user_id in guild.members if only is None else (only,):
            if user_id not in listeners:
                self._outputs.append(MemberEvent(user_id, name, data))
        for session in self.sessions_of(only):
            if session.user_id in guild.members:
                self._dispatch(session, name, data)

    def add_channel(self, guild: Guild, name: str, *, user_limit: int = 0) -> Channel:
        """Add a voice channel, and tell."""
        channel = self.world.add_channel(guild, name, user_limit=user_limit)
        self.tell("CHANNEL_CREATE", objects.channel(channel), guild, None)
        return channel

    def add_member(self, guild: Guild, name: str) -> User:
        """Add somebody to a guild, and tell."""
        user = self.world.add_user(name)
        guild.members[user.id] = user
        data = objects.member(user) | {"guild_id": str(guild.id)}
        self.tell("GUILD_MEMBER_ADD", data, guild, None)
        return user

    # -- messages -------------------------------------------------------------------------

    def _receive(self, link: int, message: bytes, now: float) -> None:
        socket = self._sockets.get(link)
        if socket is None:
            return  # what it sent before it read our close
        if not socket.bucket.take(now):
            self._refuse(socket, 4008, "too many messages", now)
        elif len(message) > MAX_MESSAGE:
            self._refuse(socket, 4002, "the message is too large", now)
        else:
            try:
                op, data = decode(message, is_ready=socket.session is not None)
            except Refused as error:
                self._refuse(socket, error.code, error.why, now)
                return
            if (answer := _ANSWERS.get(op)) is not None:
                answer(self, socket, data, now)

    def _heartbeat(self, socket: Socket, seq: int | None, now: float) -> None:
        if socket.session is not None and seq is not None and seq > socket.session.seq:
            self._refuse(socket, 4007, "this sequence number was never sent", now)
            return
        self._watch(socket, now)
        self._send(socket, MainOp.HEARTBEAT_ACK, None)

    def _identify(self, socket: Socket, data: Identify, now: float) -> None:
        bot = self.world.bots.get(data.token.removeprefix("Bot "))
        if bot is None:
            self._refuse(socket, 4004, "authentication failed", now)
            return
        shard, count = data.shard
        if not 0 <= shard < count:
            self._refuse(socket, 4010, "there is no such shard", now)
            return
        if data.intents & self.disallowed_intents:
            self._refuse(socket, 4014, "an intent that is not allowed to this bot", now)
            return
        for former in self.sessions_of(bot.id):
            if former.shard == data.shard and former.socket is None:
                self._end(former, now)
        self._numbers += 1
        session = Session(f"main-session-{self._numbers}", bot.id, data.intents, data.shard)
        self._sessions[session.id] = session
        self._attach(session, socket)
        guilds = list(self._guilds_of(session))
        self._dispatch(session, "READY", self._ready(session, guilds))
        for guild in guilds:
            self._dispatch(session, "GUILD_CREATE", objects.guild_create(guild))

    def _ready(self, session: Session, guilds: list[Guild]) -> dict[str, Any]:
        user = self.world.users[session.user_id]
        return {
            "v": 10,
            "user": objects.own_user(user),
            "user_settings": {},
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "application": {"id": str(user.id), "flags": 0},
            "shard": list(session.shard),
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
            "auth": {},
            "_trace": [],
        }

    def _guilds_of(self, session: Session) -> Iterator[Guild]:
        shard, count = session.shard
        for guild in self.world.guilds.values():
            if session.user_id in guild.members and (guild.id >> 22) % count == shard:
                yield guild

    def _resume(self, socket: Socket, data: Resume, now: float) -> None:
        bot = self.world.bots.get(data.token.removeprefix("Bot "))
        if bot is None:
            self._refuse(socket, 4004, "authentication failed", now)
            return
        session = self._sessions.get(data.session_id)
        if session is None or session.user_id != bot.id:
            self._send(socket, MainOp.INVALID_SESSION, False)
            return
        if data.seq > session.seq:
            self._end(session, now)
            self._refuse(socket, 4007, "this sequence number was never sent", now)
            return
        missed = session.since(data.seq)
        if missed is None:
            self._end(session, now)
            self._send(socket, MainOp.INVALID_SESSION, False)
            return
        if session.socket is not None:  # half open: the bot knew before us
            self._close(session.socket, 4000, "resumed on another socket")
        self._attach(session, socket)
        session.resumes += 1
        for message in missed:
            self._outputs.append(socket.pack(socket.link, message))
        self._dispatch(session, "RESUMED", {"_trace": []})

    def _voice_state(self, socket: Socket, data: VoiceStateRequest, now: float) -> None:
        session = _session(socket)
        guild = self.world.guilds.get(data.guild)
        if guild is not None and session.user_id in guild.members:
            self.voice.request(
                guild, session.user_id, data.channel, now, mute=data.self_mute, deaf=data.self_deaf
            )

    def _request_members(self, socket: Socket, data: RequestMembers, now: float) -> None:
        session = _session(socket)
        guild = self.world.guilds.get(data.guild)
        if guild is None or session.user_id not in guild.members:
            return
        wanted = data.wanted(guild)
        chunk: dict[str, Any] = {
            "guild_id": str(guild.id),
            "members": [objects.member(one) for one in wanted],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [],
        }
        if data.presences:
            chunk["presences"] = []
        if data.nonce is not None:
            chunk["nonce"] = data.nonce
        self._dispatch(session, "GUILD_MEMBERS_CHUNK", chunk)

    # -- the way out ------------------------------------------------------------------------

    def _send(self, socket: Socket, op: MainOp, data: Any) -> None:
        message = msgspec.json.encode({"op": int(op), "d": data, "s": None, "t": None})
        self._outputs.append(socket.pack(socket.link, message))

    def _dispatch(self, session: Session, name: str, data: dict[str, Any]) -> None:
        """Send an event, if the bot asked for its kind, and keep it for a resume."""
        wanted = event_intents(name)
        if wanted and not session.intents & wanted:
            return
        message = session.number(name, data)
        if (socket := session.socket) is not None:
            self._outputs.append(socket.pack(socket.link, message))

    def _refuse(self, socket: Socket, code: int, why: str, now: float) -> None:
        """Close a socket on which something wrong was said."""
        session = socket.session
        self._close(socket, code, why)
        if session is not None:
            self._detach(session, now, ends=code in (4007, 4009))

    def _close(self, socket: Socket, code: int, why: str) -> None:
        self._forget(socket)
        self._close_link(socket.link, code, why)

    def _close_link(self, link: int, code: int, why: str) -> None:
        self.closes[code] = self.closes.get(code, 0) + 1
        self._outputs.append(CloseWebSocket(link, code, why))

    def _forget(self, socket: Socket) -> None:
        self._sockets.pop(socket.link, None)
        self._unwatch(socket)

    def _watch(self, socket: Socket, now: float) -> None:
        """Expect the next heartbeat within two intervals."""
        self._unwatch(socket)
        if math.isfinite(self._heartbeat_interval):
            when = now + 2 * self._heartbeat_interval

            def expire(now: float) -> None:
                self._refuse(socket, 4009, "no heartbeat came", now)

            socket.watchdog = self.timers.call_at(when, expire)

    def _unwatch(self, socket: Socket) -> None:
        if socket.watchdog is not None:
            socket.watchdog.cancel()
            socket.watchdog = None

    # -- sessions -----------------------------------------------------------------------

    def _attach(self, session: Session, socket: Socket) -> None:
        if session.timer is not None:
            session.timer.cancel()
            session.timer = None
        session.socket, socket.session = socket, session

    def _detach(self, session: Session, now: float, *, ends: bool = False) -> None:
        session.socket = None
        if ends:
            self._end(session, now)
        elif session.id in self._sessions:
            when = now + self._resume_window
            session.timer = self.timers.call_at(when, lambda now: self._end(session, now))

    def _end(self, session: Session, now: float) -> None:
        """Forget a session: who sat in a voice channel by it leaves."""
        self._sessions.pop(session.id, None)
        if session.timer is not None:
            session.timer.cancel()
        if not self.sessions_of(session.user_id):
            for guild in self._guilds_of(session):
                self.voice.kick(guild, session.user_id, now)


def _session(socket: Socket) -> Session:
    assert socket.session is not None
    return socket.session


_ANSWERS: Mapping[MainOp, Callable[[MainServer, Socket, Any, float], None]] = {
    MainOp.HEARTBEAT: MainServer._heartbeat,
    MainOp.IDENTIFY: MainServer._identify,
    MainOp.VOICE_STATE_UPDATE: MainServer._voice_state,
    MainOp.RESUME: MainServer._resume,
    MainOp.REQUEST_GUILD_MEMBERS: MainServer._request_members,
}
