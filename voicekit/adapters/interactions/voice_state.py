"""The bot's voice state in a guild, with a call of voicekit's: what `channel.connect()` returns."""

import asyncio
import logging
from io import BytesIO
from typing import Any, Unpack

from interactions import ActiveVoiceState, Client, Intents
from interactions.api.events import RawGatewayEvent
from interactions.client.const import Missing
from interactions.client.errors import VoiceAlreadyConnected, VoiceConnectionTimeout
from interactions.models.discord.snowflake import to_snowflake
from interactions.models.internal.listener import Listener

from ...aio import Voice
from ...errors import NotConnected, PlaybackError, VoicekitError
from ...join import SendVoiceState
from ..host_errors import raising
from ..stay import CallOptions, Stay
from .errors import ERRORS, with_text
from .player import VoicekitPlayer
from .recorder import VoicekitRecorder

__all__ = ["VoicekitVoiceState", "install"]

_LOG = logging.getLogger("voicekit")

#: What of a voice state follows our VOICE_STATE_UPDATE.
_FOLLOWED = (
    "_channel_id",
    "deaf",
    "mute",
    "request_to_speak_timestamp",
    "self_deaf",
    "self_mute",
    "self_stream",
    "self_video",
    "session_id",
    "suppress",
)
#: What is encoded for a channel that is not in the cache, in bits per second.
_DEFAULT_BITRATE = 64_000


def install(client: Client, **options: Unpack[CallOptions]) -> None:
    """Have a client's voice channels connect by voicekit: ``await channel.connect()``.

    ``options`` are those of `voicekit.aio.open`; given again, they hold for the next calls. Before
    or while the client runs; its calls are left when it is stopped.
    """
    calls: _Calls | None = getattr(client, "_voicekit", None)
    if calls is None:
        client._voicekit = _Calls(client, options)
    elif options:
        calls.options = options


class _Calls:
    """The calls of one client: hands them the two events, and ends them with it."""

    def __init__(self, client: Client, options: CallOptions) -> None:
        self.options = options
        self.states: set[VoicekitVoiceState] = set()
        self._client = client
        self._stop_client = client.stop
        client.connect_to_vc = self._connect
        client.stop = self._stop
        client.add_listener(Listener(self._take_state, "raw_voice_state_update"))
        client.add_listener(Listener(self._take_server, "raw_voice_server_update"))

    async def _connect(
        self, guild_id: Any, channel_id: Any, muted: bool = False, deafened: bool = False
    ) -> "VoicekitVoiceState":
        state = VoicekitVoiceState(
            client=self._client,
            guild_id=guild_id,
            channel_id=channel_id,
            self_mute=muted,
            self_deaf=deafened,
        )
        await state.connect()
        return state

    async def _stop(self) -> None:
        leaving = [state._leave() for state in list(self.states)]
        try:
            for result in await asyncio.gather(*leaving, return_exceptions=True):
                if isinstance(result, Exception):
                    _LOG.error("a voice call was not left in order", exc_info=result)
        finally:
            await self._stop_client()

    async def _take_state(self, event: RawGatewayEvent) -> None:
        for state in list(self.states):
            state._hear_state(event.data)

    async def _take_server(self, event: RawGatewayEvent) -> None:
        for state in list(self.states):
            state._hear_server(event.data)


class VoicekitVoiceState(ActiveVoiceState):
    """The bot's voice state in a guild, and the call that goes with it.

    `ws` is the call itself, a `voicekit.aio.Voice`. Raises ``VoiceNotConnected`` for what needs a
    call, ``LibraryException`` in another thread than that of the event loop.
    """

    ws: Voice | None
    player: VoicekitPlayer | None
    recorder: VoicekitRecorder | None
    _volume: float
    _channel_id: int

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        install(self._client)
        self._calls: _Calls = self._client._voicekit
        self._stay: Stay | None = None
        # The events that were handed in last: the library tells some twice.
        self._heard_state: Any = None
        self._heard_server: Any = None
        # The library makes copies, and tells these what concerns this one.
        self._origin = self

    def __copy__(self) -> "VoicekitVoiceState":
        copied = type(self).__new__(type(self))
        copied.__setstate__(self.__getstate__())
        copied.__dict__.update(self.__dict__)
        return copied

    def __del__(self) -> None:
        """Nothing: the call does not end with a copy of its state."""

    # -- what is known of it ---------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether there is a call; while it is being resumed or moved there is."""
        return self._stay is not None and self._stay.is_connected

    @property
    def playing(self) -> bool:
        """Whether something plays, and is not paused."""
        return self.player is not None and not (self.player.stopped or self.player.paused)

    @property
    def volume(self) -> float:
        """Loudness of what plays and has a volume, from 0 on; 0.5 in the beginning."""
        return self._volume

    @volume.setter
    def volume(self, value: float) -> None:
        if value < 0.0:
            raise ValueError("Volume may not be negative.")
        self._volume = value
        if self.player is not None:
            self.player.set_volume(value)

    # -- joining, moving, leaving ----------------------------------------------------------

    async def connect(self, timeout: float = 5) -> None:  # noqa: ASYNC109
        """Join the channel; audio can be sent then.

        ``timeout``: how long Discord may take to answer, and then the voice server (seconds).
        Raises ``VoiceAlreadyConnected``, ``VoiceConnectionTimeout``, and ``RuntimeError`` without
        the intent GUILD_VOICE_STATES.
        """
        if any(state._guild_id == self._guild_id for state in self._calls.states):
            raise with_text(VoiceAlreadyConnected)(
                "Bot already connected to the voice channel, or about to: use move to go elsewhere"
            )
        if Intents.GUILD_VOICE_STATES not in self._client.intents:
            raise RuntimeError("Cannot connect to voice without the GUILD_VOICE_STATES intent.")
        with raising(ERRORS):
            self._stay = stay = Stay(
                self._guild_id,
                self._channel_id,
                self._client.user.id,
                self._ask,
                self._end,
                mute=self.self_mute,
                deaf=self.self_deaf,
                timeout=timeout,
                options=self._calls.options,
            )
            self._calls.states.add(self)
            try:
                self.ws = await stay.join()
            except BaseException:
                await self._leave()
                raise
        self._client.cache.place_bot_voice_state(self)

    async def ws_connect(self) -> None:
        """Wait until audio can be sent, as `connect` has done."""
        voice = self._require_voice()
        with raising(ERRORS):
            await voice.wait_ready()

    async def disconnect(self) -> None:
        """Leave the channel. Idempotent."""
        with raising(ERRORS):
            await self._leave()

    async def move(self, channel: Any, timeout: float = 5) -> None:  # noqa: ASYNC109
        """Go to another channel of the guild; the same one: nothing.

        What plays is paused meanwhile, and goes on where it was, unless it was paused before.
        Raises ``VoiceConnectionTimeout`` where nobody answers within ``timeout`` seconds; the call
        is over then.
        """
        target = to_snowflake(channel)
        if target == self._channel_id:
            return
        self._require_voice()
        assert self._stay is not None
        player = self.player
        resumes = player is not None and not player.paused
        if player is not None:
            player.pause()
        try:
            with raising(ERRORS):
                async with asyncio.timeout(timeout):
                    await self._stay.move(target)
        except (TimeoutError, VoiceConnectionTimeout):
            await self._close_connection()
            raise with_text(VoiceConnectionTimeout)(
                f"no answer to a move within {timeout:g} s: the channel is full or gone, or the"
                " permission to view it and connect to it is missing"
            ) from None
        finally:
            if player is not None and resumes and self.connected:
                player.resume()
        self._channel_id = target

    # -- playing ---------------------------------------------------------------------------

    async def play(self, audio: Any) -> None:
        """Play ``audio`` to its end; what played before ends where it begins.

        An audio object of the library, whatever `voicekit.media.open_source` opens, or a source of
        voicekit. Returns as well when it was stopped, or replaced, or the call has ended. Raises
        ``LibraryException`` for what can not be opened, or fails later.
        """
        voice = self._require_voice()
        former, self.player = self.player, VoicekitPlayer(audio, self, voice)
        player = self.player
        if former is not None:
            former.stop_opening()
        channel = self.channel
        with raising(ERRORS):
            await player.play(channel.bitrate if channel is not None else _DEFAULT_BITRATE)
            await player.wait()
            if isinstance(player.error, PlaybackError):
                raise player.error

    async def stop(self) -> None:
        """End what plays, and wait for that."""
        if self.player is not None:
            with raising(ERRORS):
                self.player.stop()
            await self.player.wait()

    def pause(self) -> None:
        """Keep what is not sent, from the next frame on."""
        self._act(VoicekitPlayer.pause)

    def resume(self) -> None:
        """Go on with the frame that was next."""
        self._act(VoicekitPlayer.resume)

    async def wait_for_stopped(self) -> None:
        """Wait until what plays has ended."""
        if self.player is not None:
            await self.player.wait()

    # -- recording -------------------------------------------------------------------------

    def create_recorder(self) -> VoicekitRecorder:
        """Return the recorder, a new one if there is none."""
        if self.recorder is None:
            self.recorder = VoicekitRecorder(self)
        return self.recorder

    async def start_recording(
        self, encoding: str | None = None, *, output_dir: Any = Missing
    ) -> VoicekitRecorder:
        """Record everybody, in memory or into a folder, as mp3 unless told otherwise.

        Raises ``RuntimeError`` while a recording is under way, ``ValueError`` for an encoding or a
        folder that is none.
        """
        recorder = self.create_recorder()
        if recorder.used:
            if recorder.recording:
                raise RuntimeError("Another recording is still in progress, please stop it first.")
            recorder = self.recorder = VoicekitRecorder(self)
        if encoding is not None:
            recorder.encoding = encoding
        await recorder.start_recording(output_dir=output_dir)
        return recorder

    async def stop_recording(self) -> dict[int, BytesIO | str]:
        """End the recording; return by user a file in memory, or the path of one."""
        if self.recorder is None:
            raise RuntimeError("No recorder is running!")
        await self.recorder.stop_recording()
        return self.recordings

    @property
    def recordings(self) -> dict[int, BytesIO | str]:
        """What was recorded last; empty before that has ended."""
        return {} if self.recorder is None else self.recorder.output

    # -- the library's ---------------------------------------------------------------------

    async def _voice_server_update(self, data: Any) -> None:
        """Take a VOICE_SERVER_UPDATE."""
        self._origin._hear_server(data)

    async def _voice_state_update(self, before: Any, after: Any, data: Any) -> None:
        """Take what has become of our voice state; None: we are out of the channel.

        Kicked, or on our way to a new session: the call knows.
        """
        state = self._origin
        if after is not None:
            for name in _FOLLOWED:
                setattr(state, name, getattr(after, name))
        if data is not None:
            state._hear_state(data)
        elif after is None:
            await state._close_connection()

    async def _close_connection(self) -> None:
        """End the call, and leave the channel if we are in it."""
        with raising(ERRORS):
            await self._leave()

    # -- behind it -------------------------------------------------------------------------

    def _require_voice(self) -> Voice:
        with raising(ERRORS):
            if self._stay is None:
                raise NotConnected("there is no voice call: connect to a channel first")
            return self._stay.require_voice()

    def _act(self, act: Any) -> None:
        self._require_voice()
        if self.player is not None:
            with raising(ERRORS):
                act(self.player)

    async def _ask(self, op4: SendVoiceState) -> None:
        await self.gateway.voice_state_update(op4.guild_id, op4.channel_id, op4.mute, op4.deaf)

    def _hear_state(self, data: Any) -> None:
        if self._stay is not None and self._heard_state is not data:
            self._heard_state = data
            self._stay.receive_voice_state(data)

    def _hear_server(self, data: Any) -> None:
        if self._stay is not None and self._heard_server is not data:
            self._heard_server = data
            self._stay.receive_voice_server(data)

    async def _leave(self) -> None:
        try:
            if self._stay is not None:
                await self._stay.leave()
        finally:
            if self._stay is None or self._stay.is_over:
                self._forget()

    def _end(self, error: VoicekitError | None) -> None:
        """The call has ended by itself: kicked, or lost for good."""
        _LOG.info(
            "the voice call of guild %s is over: %s", self._guild_id, error or "out of the channel"
        )
        self._forget()

    def _forget(self) -> None:
        self.ws = None
        self._calls.states.discard(self)
        cache = self._client.cache
        if cache.get_bot_voice_state(self._guild_id) is self:
            cache.delete_bot_voice_state(self._guild_id)
