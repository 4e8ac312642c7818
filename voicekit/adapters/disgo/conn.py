"""A whole call: `Conn`, its gateway and its UDP side as disgo has them."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from ... import aio
from ...config import Config
from ...errors import AlreadyConnected, NotConnected, VoicekitError
from ...events import AudioFrame, MessageReceived, UserLeft
from ...join import SendVoiceState
from ..stay import CallOptions, Stay
from .audio import AudioReceiver, AudioSender, OpusFrameProvider, OpusFrameReceiver
from .gateway import EventHandler
from .tables import Status, status_of
from .udp import Packet

__all__ = ["Conn", "ConnGateway", "ConnUDP", "Sender", "StateUpdate"]

#: Called with the guild, the channel (None: out), mute and deaf; sends op 4. May be awaitable.
StateUpdate = Callable[[int, int | None, bool, bool], object]


class Sender(Protocol):
    """What sends or receives audio for a `Conn`: `AudioSender`, `AudioReceiver`, or yours."""

    def open(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""


class Conn:
    """One guild's voice connection, end-to-end encrypted; `open` it, and `close` it.

    ``voice_state_update`` sends op 4 of the bot's own gateway, whose two events are handed in.
    ``remove_conn`` is called when the call is over. ``audio_sender_create`` and
    ``audio_receiver_create`` make what carries audio, of a provider or receiver and the call's
    `voicekit.aio.Voice`. ``options`` are those of `voicekit.aio.open`: ``network`` makes the
    sockets, ``config`` says whether to reconnect.
    """

    def __init__(
        self,
        guild_id: int,
        user_id: int,
        voice_state_update: StateUpdate,
        remove_conn: Callable[[], object] = lambda: None,
        *,
        event_handler: EventHandler | None = None,
        audio_sender_create: Callable[[OpusFrameProvider, aio.Voice], Sender] = AudioSender,
        audio_receiver_create: Callable[[OpusFrameReceiver, aio.Voice], Sender] = AudioReceiver,
        options: CallOptions | None = None,
    ) -> None:
        self._guild_id = guild_id
        self._user_id = user_id
        self._voice_state_update = voice_state_update
        self._remove_conn = remove_conn
        self._event_handler = event_handler
        self._audio_sender_create = audio_sender_create
        self._audio_receiver_create = audio_receiver_create
        self._options: CallOptions = {**(options or {})}
        config = self._options.get("config") or Config()
        self._options["config"] = replace(config, report_messages=True)
        self._stay: Stay | None = None
        self._provider: OpusFrameProvider | None = None
        self._receiver: OpusFrameReceiver | None = None
        self._audio: dict[str, Sender] = {}
        self._udp: ConnUDP | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: What the call ended with; None: we left, or were taken out.
        self.error: VoicekitError | None = None

    # -- the call ---------------------------------------------------------------------------

    async def open(self, channel_id: int, self_mute: bool = False, self_deaf: bool = False) -> None:
        """Join a channel, or go to another one; return when audio can be sent.

        Raises `ConnectTimedOut` where the host's gateway does not answer, `AlreadyConnected` while
        an earlier `open` waits for that, and what the call ended with instead.
        """
        stay = self._stay
        if stay is not None and stay.is_connected:
            await stay.move(channel_id)
            stay.set_self(mute=self_mute, deaf=self_deaf)
            return
        if stay is not None:
            raise AlreadyConnected("open: a channel was asked for already, wait for it or close")
        self._stay = stay = Stay(
            self._guild_id,
            channel_id,
            self._user_id,
            self._ask,
            self._ended,
            mute=self_mute,
            deaf=self_deaf,
            options=self._options,
            opened=self._opened,
        )
        try:
            voice = await stay.join()
        except BaseException:
            self._stay = None
            raise
        self._carry("sender", self._audio_sender_create, self._provider, voice)
        self._carry("receiver", self._audio_receiver_create, self._receiver, voice)

    async def close(self) -> None:
        """End the audio in order, leave the channel, and close. Idempotent."""
        stay = self._stay
        if stay is None:
            return
        for carrier in list(self._audio.values()):
            await carrier.close()
        self._audio.clear()
        try:
            await stay.leave()  # which waits for an update that is handed in meanwhile
        finally:
            self._stay = None
            for task in list(self._tasks):
                task.cancel()
            self._remove_conn()

    def handle_voice_state_update(self, update: Mapping[str, Any]) -> None:
        """Take the ``d`` of a VOICE_STATE_UPDATE, of whatever user and guild."""
        if self._stay is not None:
            self._stay.receive_voice_state(update)

    def handle_voice_server_update(self, update: Mapping[str, Any]) -> None:
        """Take the ``d`` of a VOICE_SERVER_UPDATE, of whatever guild."""
        if self._stay is not None:
            self._stay.receive_voice_server(update)

    # -- what it is -------------------------------------------------------------------------

    @property
    def guild_id(self) -> int:
        """Whose channels these are."""
        return self._guild_id

    @property
    def channel_id(self) -> int | None:
        """Where we are; None while we are in none."""
        stay = self._stay
        return stay.channel_id if stay is not None and stay.is_connected else None

    @property
    def voice(self) -> aio.Voice:
        """The call, with all that voicekit has. Raises `NotConnected` where there is none."""
        voice = None if self._stay is None else self._stay.voice
        if voice is None:
            raise NotConnected("there is no voice call: open the connection first")
        return voice

    @property
    def gateway(self) -> "ConnGateway":
        """The gateway of the call."""
        return ConnGateway(self)

    @property
    def udp(self) -> "ConnUDP":
        """The UDP side of the call; the same one while that lasts."""
        voice = self.voice
        if self._udp is None or self._udp.voice is not voice:
            self._udp = ConnUDP(voice)
        return self._udp

    def user_id_by_ssrc(self, ssrc: int) -> int | None:
        """Return who sends under ``ssrc``, or None."""
        return self.voice.connection.user_of(ssrc)

    # -- audio and events ---------------------------------------------------------------------

    def set_speaking(self, flags: int) -> None:
        """Show ourselves as speaking (`voicekit.SpeakingFlags`); what is played does so itself."""
        self.voice._driver.call(self.voice.connection.set_speaking, flags)

    def set_opus_frame_provider(self, provider: OpusFrameProvider | None) -> None:
        """Send what ``provider`` gives, now or once the call is open; None: nothing."""
        self._provider = provider
        self._replace("sender", self._audio_sender_create, provider)

    def set_opus_frame_receiver(self, receiver: OpusFrameReceiver | None) -> None:
        """Hand what is heard to ``receiver``, now or once the call is open; None: to nobody."""
        self._receiver = receiver
        self._replace("receiver", self._audio_receiver_create, receiver)

    def set_event_handler(self, event_handler: EventHandler | None) -> None:
        """Call ``event_handler(op, data)`` with each message of the gateway, as `Gateway` does.

        All but op 4, which holds the key.
        """
        self._event_handler = event_handler

    # -- inside -----------------------------------------------------------------------------------

    async def _ask(self, state: SendVoiceState) -> None:
        answer = self._voice_state_update(state.guild_id, state.channel_id, state.mute, state.deaf)
        if inspect.isawaitable(answer):
            await answer

    def _ended(self, error: VoicekitError | None) -> None:
        self.error = error
        self._stay = None
        self._audio.clear()  # they have ended with the call
        self._remove_conn()

    def _opened(self, voice: aio.Voice) -> None:
        self._spawn(self._tell(voice.events()))

    async def _tell(self, events: aio.EventStream) -> None:
        try:
            async for event in events:
                if isinstance(event, MessageReceived) and self._event_handler is not None:
                    data = event.raw if event.data is None else event.data
                    self._event_handler(event.op, data)
                elif isinstance(event, UserLeft) and self._receiver is not None:
                    self._receiver.cleanup_user(event.user_id)
        except VoicekitError:
            pass  # `error` says so

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _replace(self, name: str, create: Callable[..., Sender], subject: object) -> None:
        stay = self._stay
        if stay is not None and stay.is_connected and stay.voice is not None:
            self._spawn(self._swap(name, create, subject, stay.voice))

    async def _swap(
        self, name: str, create: Callable[..., Sender], subject: object, voice: aio.Voice
    ) -> None:
        if (carrier := self._audio.pop(name, None)) is not None:
            await carrier.close()
        self._carry(name, create, subject, voice)

    def _carry(
        self, name: str, create: Callable[..., Sender], subject: object, voice: aio.Voice
    ) -> None:
        if subject is not None:
            carrier = self._audio[name] = create(subject, voice)
            carrier.open()


class ConnGateway:
    """The gateway of a `Conn`. It is opened and closed with the call."""

    def __init__(self, conn: Conn) -> None:
        self._conn = conn

    @property
    def ssrc(self) -> int | None:
        """Our SSRC; None without a session."""
        return self._conn.voice.connection.ssrc

    @property
    def latency(self) -> float | None:
        """The last heartbeat's round trip, in seconds; None until known."""
        return self._conn.voice.connection.latency

    @property
    def status(self) -> Status:
        """Where it stands."""
        return status_of(self._conn.voice.connection.state)

    def send(self, op: int, data: object) -> None:
        """Send a message: a struct of `voicekit.messages`, or JSON."""
        voice = self._conn.voice
        voice._driver.call(voice.connection.send, op, data)

    def close_with_code(self, code: int, message: str = "") -> None:
        """Close the WebSocket with ``code``: 4000, say, makes it resume."""
        voice = self._conn.voice
        voice._driver.call(voice.connection.close_with_code, code)


class ConnUDP:
    """The UDP side of a `Conn`: its packets are end-to-end encrypted on the way."""

    def __init__(self, voice: aio.Voice) -> None:
        self.voice = voice
        self._packets: AsyncIterator[AudioFrame] | None = None

    def write(self, opus: bytes) -> int:
        """Send one Opus packet, at the time of the caller; 0: dropped, there is no session."""
        return len(opus) if self.voice.send_audio(opus) else 0

    async def read_packet(self) -> Packet:
        """Wait for the next packet of anybody, from the first time on that this was asked.

        Raises what the call ended with, `NotConnected` where we left.
        """
        if self._packets is None:
            self._packets = aiter(self.voice.frames())
        try:
            frame = await anext(self._packets)
        except StopAsyncIteration:
            raise NotConnected("read: the call is over") from None
        return Packet(frame.sequence & 0xFFFF, frame.rtp_time & 0xFFFF_FFFF, frame.ssrc, frame.opus)
