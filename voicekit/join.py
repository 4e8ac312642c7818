"""From the host's two events to a `VoiceServerInfo`: `Join`, without I/O.

A host library asks its own (main) gateway for a voice channel by op 4 and is answered
with VOICE_STATE_UPDATE and VOICE_SERVER_UPDATE, in either order. A full channel or a
missing permission is answered with nothing at all: a deadline is the only symptom.
https://discord.com/developers/docs/topics/voice-connections#retrieving-voice-server-information
"""

from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import msgspec

from .errors import (
    AlreadyConnected,
    ConnectTimedOut,
    GatewayUnavailable,
    LocalProtocolError,
    NotConnected,
)
from .one_caller import Turn, one_caller
from .server_info import VoiceServerInfo, require_id, snowflake

__all__ = [
    "Join",
    "JoinFailed",
    "JoinOutput",
    "JoinState",
    "JoinTimedOut",
    "Joined",
    "Left",
    "SendVoiceState",
]

#: How long `rejoin` waits for the null state of its leave, in seconds. Nothing comes when
#: we were out of the channel already.
LEAVE_PATIENCE = 5.0


class SendVoiceState(msgspec.Struct, frozen=True):
    """Send op 4 on the host's own gateway; a null channel leaves."""

    guild_id: int
    channel_id: int | None
    mute: bool
    deaf: bool

    @property
    def payload(self) -> dict[str, object]:
        """The ``d`` of op 4."""
        return {
            "guild_id": str(self.guild_id),
            "channel_id": None if self.channel_id is None else str(self.channel_id),
            "self_mute": self.mute,
            "self_deaf": self.deaf,
        }


class Joined(msgspec.Struct, frozen=True):
    """Both events are here: connect, or hand both values of ``info`` to the connection."""

    info: VoiceServerInfo


class JoinTimedOut(msgspec.Struct, frozen=True):
    """No answer in time. After a `move` we are still where we were, else out."""

    channel_id: int
    error: ConnectTimedOut  #: its text says what may be wrong


class JoinFailed(msgspec.Struct, frozen=True):
    """The host could not ask (`Join.voice_state_failed`). After a `move` we are where we were."""

    channel_id: int
    error: GatewayUnavailable


class Left(msgspec.Struct, frozen=True):
    """We are out of the channel: we left, or were kicked."""


JoinOutput = SendVoiceState | Joined | JoinTimedOut | JoinFailed | Left


class JoinState(IntEnum):
    """Where a `Join` stands."""

    OUT = 0  #: in no channel, as far as we know
    JOINING = 1  #: op 4 is out, both events are awaited
    JOINED = 2
    MOVING = 3  #: in a channel; op 4 for another one is out
    LEAVING = 4  #: op 4 with a null channel is out
    REJOINING = 5  #: the same, and a join follows


_IN = (JoinState.JOINING, JoinState.JOINED, JoinState.MOVING)
_WAITING = (JoinState.JOINING, JoinState.MOVING)

_OUT = "call start first, or again where we were kicked or not let in"
_ADVICE = {
    "start": "we are on our way or in; move goes elsewhere, leave ends it",
    "move": _OUT,
    "rejoin": _OUT,
    "set_self": _OUT,
    "leave": "we are out, or on our way",
}


class Join:
    """One member's way into, through and out of the voice channels of one guild.

    Feed it every VOICE_STATE_UPDATE and VOICE_SERVER_UPDATE as they come: those of other
    users and guilds are passed over, and so is what is malformed. After each call drain
    `poll` to None, then read `next_timeout`.
    """

    def __init__(
        self,
        guild_id: int,
        channel_id: int,
        user_id: int,
        *,
        mute: bool = False,
        deaf: bool = False,
        timeout: float = 60.0,
    ) -> None:
        if not 0 < timeout < float("inf"):
            raise ValueError(f"timeout is a finite number above 0, not {timeout!r}")
        self._turn = Turn()
        self._guild_id = require_id("guild_id", guild_id)
        self._channel_id = require_id("channel_id", channel_id)  # where we are or want to be
        self._user_id = require_id("user_id", user_id)
        self._mute = mute
        self._deaf = deaf
        self._timeout = timeout
        self._state = JoinState.OUT
        self._deadline: float | None = None
        self._queue: deque[JoinOutput] = deque()
        self._session_id: str | None = None  # None: not here yet
        self._server: tuple[str, str] | None = None  # token, endpoint
        self._info: VoiceServerInfo | None = None

    def __repr__(self) -> str:
        return f"<Join guild={self._guild_id} channel={self._channel_id} {self._state.name}>"

    @property
    def state(self) -> JoinState:
        """Where it stands."""
        return self._state

    @property
    def info(self) -> VoiceServerInfo | None:
        """What the last events say; None before `Joined` and after `Left`."""
        return self._info

    @property
    def channel_id(self) -> int:
        """Where we are, or want to be."""
        return self._channel_id

    @property
    def awaits_state(self) -> bool:
        """Whether a VOICE_STATE_UPDATE is waited for."""
        return self._state in _WAITING and self._session_id is None

    @property
    def awaits_server(self) -> bool:
        """Whether a VOICE_SERVER_UPDATE is waited for."""
        return self._state in _WAITING and self._server is None

    @one_caller
    def poll(self) -> JoinOutput | None:
        """Return what to do or to know next; None when there is nothing more for now."""
        return self._queue.popleft() if self._queue else None

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due, on the caller's clock; None: never."""
        return self._deadline

    # -- the application ------------------------------------------------------------

    @one_caller
    def start(self, now: float) -> None:
        """Join the channel. Raises `AlreadyConnected` unless we are out."""
        if self._state in _IN:
            raise AlreadyConnected(
                f"start is not possible in state {self._state.name}: {_ADVICE['start']}"
            )
        self._require("start", JoinState.OUT)
        self._ask(JoinState.JOINING, now)

    @one_caller
    def move(
        self, channel_id: int, now: float, *, mute: bool | None = None, deaf: bool | None = None
    ) -> None:
        """Go to another channel of the guild; `Joined` comes again. The same one: nothing.

        ``mute`` and ``deaf`` are those of `set_self`.
        """
        self._require("move", *_IN)
        if require_id("channel_id", channel_id) == self._channel_id:
            return
        self._channel_id = channel_id
        self._choose(mute, deaf)
        joining = self._state is JoinState.JOINING
        self._ask(JoinState.JOINING if joining else JoinState.MOVING, now)

    @one_caller
    def rejoin(self, now: float) -> None:
        """Leave and join again, which makes a new session: the answer to `NeedNewSession`."""
        self._require("rejoin", *_IN)
        if self._state is JoinState.MOVING and self._info is not None:
            self._channel_id = self._info.channel_id
        self._leave(JoinState.REJOINING, now + LEAVE_PATIENCE)

    @one_caller
    def leave(self, now: float) -> None:
        """Leave the channel; `Left` comes when the host has confirmed it, or in the end."""
        self._require("leave", *_IN, JoinState.REJOINING)
        self._leave(JoinState.LEAVING, now + self._timeout)

    @one_caller
    def set_self(self, now: float, *, mute: bool | None = None, deaf: bool | None = None) -> None:
        """Mute or deafen ourselves for everybody to see, now and from now on. None: as it is."""
        self._require("set_self", *_IN)
        self._choose(mute, deaf)
        self._send(self._channel_id)

    # -- the host's gateway -----------------------------------------------------------

    @one_caller
    def voice_state_failed(self, why: str, now: float) -> None:
        """Say that `SendVoiceState` can not be sent: the host's own gateway is not there."""
        match self._state:
            case JoinState.LEAVING:
                self._left()
            case JoinState.JOINING | JoinState.MOVING | JoinState.REJOINING:
                wanted = self._channel_id
                self._go_back()
                error = GatewayUnavailable(f"the channel could not be asked for: {why}", "join")
                self._queue.append(JoinFailed(wanted, error))

    @one_caller
    def receive_voice_state(self, event: Mapping[str, Any], now: float) -> None:
        """Take the ``d`` of a VOICE_STATE_UPDATE."""
        ours = snowflake(event.get("user_id")) == self._user_id
        if not ours or snowflake(event.get("guild_id")) != self._guild_id:
            return
        if event.get("channel_id") is None:
            self._channel_gone(now)
            return
        channel_id = snowflake(event["channel_id"])
        session_id = event.get("session_id")
        if channel_id is None or not isinstance(session_id, str) or not session_id:
            return
        if self._state is JoinState.JOINED:
            self._channel_id = channel_id  # a moderator may move us
        elif channel_id != self._channel_id:
            return  # late news of the channel before
        self._session_id = session_id
        self._complete()

    @one_caller
    def receive_voice_server(self, event: Mapping[str, Any], now: float) -> None:
        """Take the ``d`` of a VOICE_SERVER_UPDATE. A null endpoint: wait for the next."""
        if snowflake(event.get("guild_id")) != self._guild_id:
            return
        token, endpoint = event.get("token"), event.get("endpoint")
        if not isinstance(token, str) or not token:
            return
        if endpoint is None:
            self._server = None
        elif isinstance(endpoint, str) and endpoint:
            self._server = (token, endpoint)
            self._complete()

    @one_caller
    def handle_timeout(self, now: float) -> None:
        """Give up what is overdue. Too early does nothing."""
        if self._deadline is None or now < self._deadline:
            return
        self._deadline = None
        match self._state:
            case JoinState.LEAVING:
                self._left()
            case JoinState.REJOINING:
                self._ask(JoinState.JOINING, now)
            case _:
                self._give_up()

    # -- steps --------------------------------------------------------------------------

    def _require(self, call: str, *states: JoinState) -> None:
        if self._state not in states:
            kind = NotConnected if self._state is JoinState.OUT else LocalProtocolError
            raise kind(f"{call} is not possible in state {self._state.name}: {_ADVICE[call]}")

    def _choose(self, mute: bool | None, deaf: bool | None) -> None:
        self._mute = self._mute if mute is None else mute
        self._deaf = self._deaf if deaf is None else deaf

    def _ask(self, state: JoinState, now: float) -> None:
        self._state = state
        self._session_id = None
        self._server = None
        self._deadline = now + self._timeout
        self._send(self._channel_id)

    def _leave(self, state: JoinState, deadline: float) -> None:
        self._state = state
        self._deadline = deadline
        self._send(None)

    def _send(self, channel_id: int | None) -> None:
        self._queue.append(SendVoiceState(self._guild_id, channel_id, self._mute, self._deaf))

    def _complete(self) -> None:
        """Make the info of what is here; tell it where it was waited for."""
        if self._state not in _IN or self._session_id is None or self._server is None:
            return
        token, endpoint = self._server
        self._info = VoiceServerInfo(
            endpoint=endpoint,
            server_id=self._guild_id,
            channel_id=self._channel_id,
            user_id=self._user_id,
            session_id=self._session_id,
            token=token,
        )
        if self._state in _WAITING:
            self._state = JoinState.JOINED
            self._deadline = None
            self._queue.append(Joined(self._info))

    def _channel_gone(self, now: float) -> None:
        match self._state:
            case JoinState.REJOINING:
                self._ask(JoinState.JOINING, now)
            case JoinState.JOINING:
                self._session_id = None  # the end of an earlier stay
            case JoinState.OUT:
                pass
            case _:
                self._left()

    def _left(self) -> None:
        self._state = JoinState.OUT
        self._deadline = None
        self._info = None
        self._queue.append(Left())

    def _give_up(self) -> None:
        wanted = self._channel_id
        self._go_back()
        if self._state is JoinState.OUT:
            # What comes after the deadline must not leave us sitting in the channel.
            self._send(None)
        why = (
            f"no answer within {self._timeout:g} s: the channel is full or gone,"
            " or the permission to view it and connect to it is missing"
        )
        self._queue.append(JoinTimedOut(wanted, ConnectTimedOut(why, "join")))

    def _go_back(self) -> None:
        """Be where we were before the host was asked: in the channel that we moved from, or out."""
        self._deadline = None
        if self._state is JoinState.MOVING and self._info is not None:
            self._state = JoinState.JOINED
            self._channel_id = self._info.channel_id
            self._session_id = self._info.session_id
            if self._server is None:
                self._server = (self._info.token, str(self._info.endpoint))
            self._complete()
        else:
            self._state = JoinState.OUT
