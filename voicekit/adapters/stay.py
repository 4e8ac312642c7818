"""One member's stay in the voice channels of a guild, for hosts on asyncio: in, through and out.

the host's gateway ── its two events ──▶ Stay ──▶ Registry: which channel, when both are here
                   ◀────── op 4 ────────      └─▶ Voice: the call
"""

import asyncio
import logging
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypedDict

from msgspec.structs import replace

from .. import aio
from ..config import Config
from ..connection_kinds import Voices
from ..driver.streams import error_of
from ..errors import (
    AlreadyConnected,
    ConnectTimedOut,
    LocalProtocolError,
    NotConnected,
    VoicekitError,
)
from ..events import NeedNewSession
from ..join import SendVoiceState
from ..pacer import Pacer
from ..registry import Registry
from ..registry_events import (
    CallFailed,
    ChannelJoined,
    ChannelLeft,
    ChannelMoved,
    ChannelNotJoined,
    RegistryEvent,
)
from ..server_info import VoiceServerInfo, snowflake

__all__ = ["CallOptions", "Stay"]

_LOG = logging.getLogger("voicekit")

#: How long leaving waits for the host's confirmation, in seconds: its gateway may be gone.
LEAVE_PATIENCE = 5.0


class CallOptions(TypedDict, total=False):
    """What `voicekit.aio.open` takes besides the info."""

    config: Config | None
    ssl_context: ssl.SSLContext | None
    dave_identity: bytes | None
    network: aio.Network | None
    pacer: Pacer | None


class Stay:
    """From `join` until `leave`, or until it ends by itself: then ``ended`` is called, once.

    ``ask`` sends an op 4 on the host's own gateway; what it raises means that there is none. Hand
    in every VOICE_STATE_UPDATE and VOICE_SERVER_UPDATE as they come, of whatever user and guild.
    ``ended`` is given what the call ended with; None: we were taken out of the channel.
    ``timeout`` is how long the host's gateway may take to answer, and then the voice server to let
    us in (seconds). ``opened`` is given the call when it begins, before audio can be sent.

    Belongs to the thread of its event loop, else `LocalProtocolError`, as for ids that are none.
    """

    def __init__(
        self,
        guild_id: int,
        channel_id: int,
        user_id: int,
        ask: Callable[[SendVoiceState], Awaitable[object]],
        ended: Callable[[VoicekitError | None], object],
        *,
        mute: bool = False,
        deaf: bool = False,
        timeout: float = 30.0,
        options: CallOptions | None = None,
        opened: Callable[[aio.Voice], object] | None = None,
    ) -> None:
        self._registry: Registry[aio.Voice] = Registry(
            user_id,
            self._queue_voice_state,
            Voices(),
            one_per_guild=True,
            timeout=timeout,
        )
        self._guild_id = guild_id
        self._channel_id = channel_id
        self._user_id = user_id
        self._ask_host = ask
        self._ended = ended
        self._mute = mute
        self._deaf = deaf
        self._timeout = timeout
        self._options: CallOptions = options or {}
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._watching: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._unsent: deque[SendVoiceState] = deque()
        self._is_adopting = False  # the host has asked for the channel by itself
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None
        self._answer: asyncio.Future[RegistryEvent] | None = None
        self._left = asyncio.Event()
        #: The call; None before there is one.
        self.voice: aio.Voice | None = None
        #: What the host's events have said last.
        self.session_id: str | None = None
        self.token: str | None = None
        self.endpoint: str | None = None

    def __repr__(self) -> str:
        return f"<Stay guild={self._guild_id} channel={self._channel_id} {self.voice!r}>"

    @property
    def is_connected(self) -> bool:
        """Whether there is a call; while it is being resumed or moved there is."""
        return self.voice is not None and self.voice.closed is None and not self._is_over

    @property
    def is_over(self) -> bool:
        """Whether we have left, are leaving, or were taken out. It does not begin again."""
        return self._is_over

    @property
    def guild_id(self) -> int:
        """Whose channels these are."""
        return self._guild_id

    @property
    def channel_id(self) -> int:
        """Where we are, or want to be."""
        return self._channel_id

    @property
    def self_mute(self) -> bool:
        """Whether we have muted ourselves."""
        return self._mute

    @property
    def self_deaf(self) -> bool:
        """Whether we have deafened ourselves."""
        return self._deaf

    def require_voice(self) -> aio.Voice:
        """Return the call. Raises `NotConnected` without one, `LocalProtocolError` elsewhere."""
        self._check_thread()
        if self.voice is None or not self.is_connected:
            raise NotConnected("there is no voice call: connect to a channel first")
        return self.voice

    # -- for the host's user -----------------------------------------------------------------

    async def join(self) -> aio.Voice:
        """Ask for the channel, and wait until audio can be sent.

        Raises `ConnectTimedOut` and `GatewayUnavailable` where the host's gateway does not answer,
        and what `voicekit.aio.open` raises; we are out then, also when it is cancelled.
        """
        if self.is_connected:
            raise AlreadyConnected("we are in a call already: move goes elsewhere")
        create, mute, deaf = self._registry.create, self._mute, self._deaf
        answer = await self._ask(
            lambda now: create(self._guild_id, self._channel_id, now, mute=mute, deaf=deaf)
        )
        if not isinstance(answer, ChannelJoined):
            raise NotConnected("we were taken out of the channel before the call had begun")
        return await self._open(answer.info)

    async def adopt(self, info: VoiceServerInfo) -> aio.Voice:
        """Join the call of a channel for which the host has asked by itself; else as `join`."""
        user_id, guild_id, channel_id = info.user_id, info.server_id, info.channel_id
        session = {"user_id": user_id, "channel_id": channel_id, "session_id": info.session_id}
        self._is_adopting = True
        try:
            self._change(lambda now: self._registry.create(guild_id, channel_id, now))
        finally:
            self._is_adopting = False
        self.receive_voice_state({"guild_id": guild_id, **session})
        self.receive_voice_server(
            {"guild_id": guild_id, "token": info.token, "endpoint": info.endpoint}
        )
        return await self._open(info)

    async def move(self, channel_id: int, *, wait: bool = True) -> None:
        """Go to another channel of the guild; the same one: nothing.

        With ``wait`` it returns when audio can be sent there. Raises `ConnectTimedOut` where
        nobody answers: we are where we were; and what the call ended with. Who is cancelled may be
        moved all the same.
        """
        voice = self.require_voice()
        if channel_id == self._channel_id:
            return
        move, before = self._registry.move, self._channel_id
        if not wait:
            self._change(lambda now: move(self._guild_id, before, channel_id, now))
            return
        answer = await self._ask(lambda now: move(self._guild_id, before, channel_id, now))
        if isinstance(answer, ChannelLeft):
            raise NotConnected("we were taken out of the channel while moving")
        await voice.wait_ready()

    def set_self(self, *, mute: bool | None = None, deaf: bool | None = None) -> None:
        """Mute or deafen ourselves for everybody to see. None: as it is."""
        self.require_voice()
        self._mute = self._mute if mute is None else mute
        self._deaf = self._deaf if deaf is None else deaf
        set_self = self._registry.set_self
        self._change(lambda now: set_self(self._guild_id, self._channel_id, now))

    async def leave(self, *, tell: bool = True) -> None:
        """End the call in order, leave the channel, and wait for the host's word, 5 s at most.

        ``tell=False``: the host leaves by itself. Idempotent; `ended` is not called.
        """
        self._check_thread()
        self._is_over = True
        try:
            if self.voice is not None:
                await self.voice.aclose()
        finally:
            if tell:
                self._ask_to_leave()
            try:
                if tell:
                    await self._wait_left()
            finally:
                self._registry.remove(self._guild_id, self._channel_id)
                self._set_timer()

    # -- the host's gateway --------------------------------------------------------------------

    def receive_voice_state(self, event: Mapping[str, Any]) -> None:
        """Take the ``d`` of a VOICE_STATE_UPDATE; those of others are passed over."""
        is_ours = snowflake(event.get("user_id")) == self._user_id
        if is_ours and snowflake(event.get("guild_id")) == self._guild_id:
            self._mute = bool(event.get("self_mute", self._mute))
            self._deaf = bool(event.get("self_deaf", self._deaf))
            self.session_id = event.get("session_id")
        self._change(lambda now: self._registry.receive_voice_state(event, now))

    def receive_voice_server(self, event: Mapping[str, Any]) -> None:
        """Take the ``d`` of a VOICE_SERVER_UPDATE; those of other guilds are passed over."""
        if snowflake(event.get("guild_id")) == self._guild_id:
            self.token, self.endpoint = event.get("token"), event.get("endpoint")
        self._change(lambda now: self._registry.receive_voice_server(event, now))

    # -- steps -----------------------------------------------------------------------------------

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise LocalProtocolError(
                "a voice call belongs to the thread of its event loop: from others use"
                " asyncio.run_coroutine_threadsafe or loop.call_soon_threadsafe"
            )

    async def _ask(self, request: Callable[[float], object]) -> RegistryEvent:
        """Make a request of the registry, and wait for the host's answer to it."""
        self._check_thread()
        if self._is_over:
            raise NotConnected("this call is over: connect to the channel again for another one")
        if self._answer is not None:
            raise LocalProtocolError("a channel was asked for already: wait for the answer")
        answer: asyncio.Future[RegistryEvent] = self._loop.create_future()
        self._answer = answer
        try:
            self._change(request)
            return await answer
        except asyncio.CancelledError:
            if self.voice is None:
                self._is_over = True
                self._ask_to_leave()
            raise
        finally:
            self._answer = None

    async def _open(self, info: VoiceServerInfo) -> aio.Voice:
        try:
            async with asyncio.timeout(self._timeout):
                voice = self.voice = await aio.open(info, wait_ready=False, **self._options)
                put, guild_id, channel_id = self._registry.put, self._guild_id, self._channel_id
                self._change(lambda now: put(guild_id, channel_id, voice, now))
                self._watching = self._loop.create_task(self._watch(voice, voice.events()))
                if self._opened is not None:
                    self._opened(voice)
                await voice.wait_ready()
        except TimeoutError:
            await self.leave()
            raise ConnectTimedOut(
                f"the voice server did not let us in within {self._timeout:g} s", "handshake"
            ) from None
        except BaseException:
            await self.leave()
            raise
        return voice

    async def _watch(self, voice: aio.Voice, events: aio.EventStream) -> None:
        """Do what the call asks of its host, and notice its end."""
        rejoin = self._registry.rejoin
        error: VoicekitError | None = None
        try:
            async for event in events:
                if isinstance(event, NeedNewSession):
                    self._change(lambda now: rejoin(self._guild_id, self._channel_id, now))
        except VoicekitError as failure:
            error = failure
        if not self._is_over:
            self._is_over = True
            kicked = self._left.is_set()
            self._ask_to_leave()
            closed = voice.closed
            if error is None and closed is not None:
                error = error_of(closed)
            self._ended(None if kicked else error)
        await voice.aclose()

    def _change(self, request: Callable[[float], object]) -> None:
        """Change the registry, and act on what it says."""
        self._check_thread()
        try:
            request(self._loop.time())
        finally:
            while (event := self._registry.poll()) is not None:
                self._take(event)
            self._set_timer()

    def _take(self, event: RegistryEvent) -> None:
        match event:
            case CallFailed(doing=doing, error=error):
                _LOG.error("%s failed", doing, exc_info=error)
                return
            case ChannelMoved(channel_id=channel_id):
                self._channel_id = channel_id
            case ChannelLeft():
                self._left.set()
        answer = self._answer
        if answer is None or answer.done():
            return
        if isinstance(event, ChannelNotJoined):
            answer.set_exception(event.error)
        else:
            answer.set_result(event)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._registry.next_timeout()
        if due is not None:
            handle = self._registry.handle_timeout
            self._timer = self._loop.call_at(due, self._change, handle)

    # -- op 4 --------------------------------------------------------------------------------------

    def _queue_voice_state(self, state: SendVoiceState) -> None:
        if self._is_adopting:
            return
        # What the user has changed past us stays as it is.
        self._unsent.append(replace(state, mute=self._mute, deaf=self._deaf))
        if self._sending is None or self._sending.done():
            self._sending = self._loop.create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._unsent:
            try:
                await self._ask_host(self._unsent.popleft())
            except Exception as error:  # the host's: its gateway is not there
                self._change(partial(self._report_failure, str(error) or repr(error)))

    def _report_failure(self, why: str, now: float) -> None:
        self._registry.voice_state_failed(self._guild_id, self._channel_id, why, now)

    def _ask_to_leave(self) -> None:
        disconnect = self._registry.disconnect
        try:
            self._change(lambda now: disconnect(self._guild_id, self._channel_id, now))
        except NotConnected:
            self._left.set()  # kicked, or never let in

    async def _wait_left(self) -> None:
        try:
            async with asyncio.timeout(LEAVE_PATIENCE):
                await self._left.wait()
                if self._sending is not None:
                    await asyncio.wait([self._sending])
        except TimeoutError:
            pass
