"""The voice client of discord.py and its relatives: the members that their users know.

A library's adapter is a class made of `VoiceClient`, the library's own ``VoiceProtocol`` and a
`Library`, the table of what that library calls things.
"""

import asyncio
import datetime
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..aio import Voice
from ..config import Config
from ..errors import AlreadyConnected, LocalProtocolError, NotConnected, VoicekitError
from ..join import SendVoiceState
from ..media import AudioSource
from ..opus_library import load_library
from ..pacer import Pacer
from ..server_info import require_id, snowflake
from .audio_source import adopt, encoder_options
from .playback import Playback
from .recording import Recording
from .stay import CallOptions, Stay
from .threads import call_in_loop, is_in_loop

__all__ = ["VoiceClient"]

#: How long `move_to` waits, in seconds, where its caller does not say.
MOVE_TIMEOUT = 30.0

LOGGER = logging.getLogger("voicekit")

T = TypeVar("T")


class VoiceClient(Recording):
    """One voice connection of a bot, as ``await channel.connect(cls=VoicekitClient)`` makes it.

    The methods may be called in any thread while the event loop runs, coroutines in the event
    loop only. What is wrong with a call raises the library's own exceptions.

    For settings: ``cls=functools.partial(VoicekitClient, config=voicekit.Config(...))``; the rest
    are arguments of `voicekit.aio.connect`.
    """

    client: Any
    channel: Any

    def __init__(
        self,
        client: Any,
        channel: Any,
        *,
        config: Config | None = None,
        ssl_context: ssl.SSLContext | None = None,
        dave_identity: bytes | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        super().__init__(client, channel)
        self._config = config
        self._options = CallOptions(
            ssl_context=ssl_context, dave_identity=dave_identity, pacer=pacer
        )
        self._stay: Stay | None = None
        self._playback: Playback | None = None
        self._was_closed = False
        #: How long connecting may take, in seconds.
        self.timeout = 0.0

    # -- what is known -----------------------------------------------------------------------

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the client."""
        loop: asyncio.AbstractEventLoop = self.client.loop
        return loop

    @property
    def guild(self) -> Any:
        """The guild of the channel."""
        return getattr(self.channel, "guild", None)

    @property
    def user(self) -> Any:
        """Who we are."""
        return self.client.user

    @property
    def voice(self) -> Voice | None:
        """The call itself, for all that the library has no name for; None before there is one."""
        return None if self._stay is None else self._stay.voice

    @property
    def session_id(self) -> str | None:
        """The id of the voice session; None before there is one."""
        return None if self._stay is None else self._stay.session_id

    @property
    def token(self) -> str | None:
        """The token of the voice session. Nobody else should see it."""
        return None if self._stay is None else self._stay.token

    @property
    def endpoint(self) -> str | None:
        """The voice server; None while there is none."""
        return None if self._stay is None else self._stay.endpoint

    @property
    def latency(self) -> float:
        """Seconds from the last heartbeat to its acknowledgement; infinite before the first."""
        return _latency(None if self.voice is None else self.voice.connection.latency)

    @property
    def average_latency(self) -> float:
        """The mean of the last 20, in seconds; infinite before the first."""
        return _latency(None if self.voice is None else self.voice.connection.average_latency)

    @property
    def ssrc(self) -> int | None:
        """The number of our audio stream; None without a session."""
        return None if self.voice is None else self.voice.connection.ssrc

    @property
    def mode(self) -> str | None:
        """The transport encryption in use; None without a session."""
        return None if self.voice is None else self.voice.connection.mode

    @property
    def voice_privacy_code(self) -> str | None:
        """What all who are in the end-to-end encrypted call see alike; None if it is not."""
        return None if self.voice is None else self.voice.connection.privacy_code

    def is_connected(self) -> bool:
        """Whether audio can be sent just now: not while a lost connection is being resumed."""
        voice = self.voice
        return voice is not None and voice.closed is None and voice.connection.is_ready

    # -- connecting --------------------------------------------------------------------------

    async def connect(
        self,
        *,
        timeout: float,  # noqa: ASYNC109
        reconnect: bool,
        self_deaf: bool = False,
        self_mute: bool = False,
    ) -> None:
        """Join the channel. The library calls it.

        Raises `asyncio.TimeoutError` after ``timeout`` seconds: a channel that is full, or that
        we may not enter, just does not answer.
        """
        with self.library.errors():
            self._require_loop("connect")
            if self._was_closed:
                raise LocalProtocolError(
                    "this voice client was closed: channel.connect makes another one"
                )
            if self._stay is not None:
                raise AlreadyConnected(
                    "already connected to a voice channel: move_to goes to another one,"
                    " disconnect leaves it"
                )
            try:
                self.timeout = timeout
                self._stay = self._make_stay(reconnect, mute=self_mute, deaf=self_deaf)
                await self._stay.join()
            except BaseException:
                await self._leave()  # also what is wrong from the beginning: the library has us
                raise

    async def disconnect(self, *, force: bool = False) -> None:
        """Stop playing and leave the channel. ``force`` changes nothing: it always does."""
        with self.library.errors():
            self._require_loop("disconnect")
            await self._leave()

    async def move_to(
        self,
        channel: Any,
        *,
        timeout: float | None = MOVE_TIMEOUT,  # noqa: ASYNC109
    ) -> None:
        """Go to another voice channel of the guild; None: leave.

        What plays pauses meanwhile. Raises `asyncio.TimeoutError` after ``timeout`` seconds,
        when we may yet be moved (None: as long as connecting may take).
        """
        if channel is None:
            await self.disconnect()
            return
        with self.library.errors():
            self._require_loop("move_to")
            async with asyncio.timeout(timeout):
                await self._joined_stay().move(_id_of(channel), wait=self.library.waits_for_move)

    def cleanup(self) -> None:
        """Let the library forget this client."""
        guild = self.guild
        if guild is None or guild.voice_client is self:  # else a new one has taken our place
            super().cleanup()  # type: ignore[misc]

    async def on_voice_state_update(self, data: Mapping[str, Any], /) -> None:
        """Take our own VOICE_STATE_UPDATE. The library calls it."""
        if self._stay is None:
            return
        self._stay.receive_voice_state(data)
        channel_id = snowflake(data.get("channel_id"))
        if channel_id is not None and channel_id != self.channel.id:
            channel = self.guild.get_channel(channel_id)
            if channel is not None:
                self.channel = channel

    async def on_voice_server_update(self, data: Mapping[str, Any], /) -> None:
        """Take a VOICE_SERVER_UPDATE. The library calls it."""
        if self._stay is not None:
            self._stay.receive_voice_server(data)

    # -- playing -----------------------------------------------------------------------------

    def play(
        self,
        source: Any,
        *,
        after: Callable[[Exception | None], object] | None = None,
        application: str = "audio",
        bitrate: int = 128,
        fec: bool = True,
        expected_packet_loss: float = 0.15,
        bandwidth: str = "full",
        signal_type: str = "auto",
        wait_finish: bool = False,
    ) -> asyncio.Future[Exception | None] | None:
        """Play a source of the library's, or of `voicekit.media`.

        ``after`` is called once, in a thread of its own, when it has ended: with its error or
        None; the source's ``cleanup`` (or ``close``) follows. With ``wait_finish`` a future is
        returned whose result is that error or None. The rest is for the encoder, if the source is
        not Opus.

        Raises the library's ``ClientException`` where nothing is connected or something plays
        already, ``OpusNotLoaded``, and ``TypeError`` for what is no source or can not be called.
        """

        def play() -> asyncio.Future[Exception | None] | None:
            voice = self._call()
            if voice.player.is_playing:
                raise LocalProtocolError("already playing audio: stop it first")
            self._check_source(source)
            if after is not None and not callable(after):
                raise TypeError(f"after is a function, not {type(after).__name__}")
            adopted = self._adopt(
                source, application, bitrate, fec, expected_packet_loss, bandwidth, signal_type
            )
            voice.player.stop()  # what is paused
            playback = Playback(source, after, self.loop, self.library)
            self._playback = playback
            voice.player.queue.append(adopted, after=playback.end)
            return playback.finished if wait_finish else None

        return self._in_loop(play)

    def stop(self) -> None:
        """Stop playing."""
        self._with_call(lambda voice: voice.player.stop(), None)

    def pause(self) -> None:
        """Pause what plays."""
        self._with_call(lambda voice: voice.player.pause(), None)

    def resume(self) -> None:
        """Go on with what was paused."""
        self._with_call(lambda voice: voice.player.resume(), None)

    def is_playing(self) -> bool:
        """Whether something plays, and is not paused."""
        return self._with_call(lambda voice: voice.player.is_playing, False)

    def is_paused(self) -> bool:
        """Whether something would play if it was not paused."""
        return self._with_call(lambda voice: voice.player.is_paused, False)

    def elapsed(self) -> datetime.timedelta:
        """Return how much of what plays was sent."""
        seconds = self._with_call(lambda voice: voice.player.elapsed, 0.0)
        return datetime.timedelta(seconds=seconds)

    @property
    def source(self) -> Any:
        """What plays or is paused, or None. Set it, and another source goes on in its place.

        Raises ``TypeError`` for what is no source, ``ValueError`` if nothing plays.
        """
        playback = self._playback
        return None if playback is None or playback.is_over else playback.source

    @source.setter
    def source(self, source: Any) -> None:
        self._check_source(source)

        def swap() -> None:
            playback, voice = self._playback, self.voice
            if voice is None or playback is None or playback.is_over:
                raise ValueError("nothing is being played: call play")
            voice.player.source = self._adopt(source)
            playback.source = source

        self._in_loop(swap)

    def send_audio_packet(self, data: bytes, *, encode: bool = True) -> None:
        """Send 20 ms now: samples (48 kHz, stereo, int16), or an Opus packet without ``encode``.

        In the silence that follows a source (0.1 s) it is dropped. Raises the library's
        ``ClientException`` where nothing is connected or while something plays, ``OpusError`` for
        samples that can not be encoded.
        """

        def send() -> None:
            player = self._call().player
            try:
                player.send_audio_packet(data, encode)
            except ValueError as error:
                raise self.library.bad_opus(str(error)) from error
            except LocalProtocolError:
                # Five frames of silence follow what was stopped: nobody can wait for them here.
                if player.is_playing or player.is_paused:
                    raise

        self._in_loop(send)

    # -- behind it ---------------------------------------------------------------------------

    def _in_loop(self, function: Callable[[], T]) -> T:
        with self.library.errors():
            return call_in_loop(self.loop, function)

    def _with_call(self, function: Callable[[Voice], T], otherwise: T) -> T:
        """Return ``otherwise`` where there is no call: these members never raise."""
        voice = self.voice
        if voice is None or voice.closed is not None:
            return otherwise
        return self._in_loop(lambda: function(voice))

    def _require_loop(self, call: str) -> None:
        if not is_in_loop(self.loop):
            raise LocalProtocolError(
                f"{call} belongs to the event loop of the client: from elsewhere,"
                f" asyncio.run_coroutine_threadsafe(voice_client.{call}(...), client.loop)"
            )

    def _call(self) -> Voice:
        voice = self.voice
        if voice is None or voice.closed is not None:
            raise NotConnected("not connected to voice: call channel.connect first")
        return voice

    def _joined_stay(self) -> Stay:
        self._call()
        assert self._stay is not None
        return self._stay

    def _check_source(self, source: object) -> None:
        if not isinstance(source, (self.library.audio_source, AudioSource)):
            raise TypeError(
                f"source is an AudioSource of {self.library.name} or of voicekit.media,"
                f" not {type(source).__name__}"
            )

    def _adopt(self, source: Any, *encoder: Any) -> AudioSource:
        if isinstance(source, AudioSource):
            return source
        if source.is_opus():
            return adopt(source, self.library, encoder_options())
        load_library()
        return adopt(source, self.library, encoder_options(*encoder))

    def _make_stay(self, reconnect: bool, *, mute: bool, deaf: bool) -> Stay:
        config = self._config
        if config is None:
            config = Config(
                connect_timeout=self.timeout, update_timeout=self.timeout, reconnect=reconnect
            )
        return Stay(
            self._guild_id(),
            _id_of(self.channel),
            self._user_id(),
            self._ask,
            self._ended,
            mute=mute,
            deaf=deaf,
            timeout=self.timeout,
            options=CallOptions(config=config, **self._options),
        )

    def _guild_id(self) -> int:
        if self.guild is None:
            raise LocalProtocolError("voicekit joins the voice channels of guilds, no other calls")
        return _id_of(self.guild)

    def _user_id(self) -> int:
        if self.user is None:
            raise LocalProtocolError("the client is not logged in: connect when it is ready")
        return _id_of(self.user)

    async def _ask(self, output: SendVoiceState) -> None:
        channel = None if output.channel_id is None else _Snowflake(output.channel_id)
        await self.guild.change_voice_state(
            channel=channel, self_mute=output.mute, self_deaf=output.deaf
        )

    async def _leave(self) -> None:
        self._was_closed = True
        try:
            if self._stay is not None:
                await self._stay.leave()
        finally:
            self.cleanup()

    def _ended(self, error: VoicekitError | None) -> None:
        """Take note of a call that ended by itself."""
        self._was_closed = True
        if error is not None:
            LOGGER.warning("the voice connection to %s is over: %s", self.channel, error)
        self.cleanup()


class _Snowflake:
    """Something with an id, which is all that asking for a channel takes."""

    def __init__(self, id: int) -> None:
        self.id = id


def _id_of(thing: Any) -> int:
    return require_id(f"the id of {thing!r}", getattr(thing, "id", None))


def _latency(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds
