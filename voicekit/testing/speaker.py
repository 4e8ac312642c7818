"""`Speaker`: another member of a test's call, who talks and keeps what it hears."""

import array
import concurrent.futures
import math
import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Self

import trio

from voicekit.codes import SILENCE_FRAME
from voicekit.errors import LocalProtocolError, VoicekitError
from voicekit.events import AudioFrame
from voicekit.media import Frames, open_provider
from voicekit.server_info import VoiceServerInfo
from voicekit.testing.main.machine import MainServer, MemberEvent
from voicekit.testing.main.world import Channel
from voicekit.testing.thread import outcome
from voicekit.trio import Voice, connect
from voicekit.trio.pump import beside

if TYPE_CHECKING:
    from voicekit.testing.guilds import Guild

__all__ = ["Speaker", "open_tone"]

SAMPLE_RATE, FRAME_SAMPLES = 48000, 960


def open_tone(seconds: float, hertz: float = 440.0, volume: float = 0.25) -> Frames:
    """Return a source that plays a sine tone, encoded. Raises `OpusNotFound` without libopus."""

    def frames() -> Iterator[bytes]:
        step, height = 2 * math.pi * hertz / SAMPLE_RATE, 32767 * volume
        for first in range(0, round(seconds * SAMPLE_RATE), FRAME_SAMPLES):
            wave = (round(height * math.sin(step * n)) for n in range(first, first + FRAME_SAMPLES))
            yield array.array("h", (value for one in wave for value in (one, one))).tobytes()

    left = frames()
    return open_provider(lambda: next(left, None), live=False)


class Speaker:
    """A member of a guild with a voice client of its own: `voicekit.trio`, in a thread.

    What belongs to the call (`talk`, `listen`) takes place between the beginning and the end of
    its ``async with``; what it heard stays.
    """

    def __init__(self, guild: "Guild", name: str, channel: Channel, within: float) -> None:
        self.name = name
        #: Who it is; 0 before it joins.
        self.user_id = 0
        #: Every frame of audio so far, silence frames included, oldest first.
        self.frames: list[AudioFrame] = []
        #: What its call ended with, if that was not its own wish.
        self.ended: VoicekitError | None = None
        self._listened: dict[int, int] = {}  # frames that `listen` has returned, by user
        self._guild = guild
        self._channel = channel
        self._within = within
        self._voice: Voice | None = None
        self._session_id: str | None = None
        self._server: tuple[str, str] | None = None
        self._joined: concurrent.futures.Future[None]
        self._life: concurrent.futures.Future[None] | None = None
        self._leaving: trio.Event
        self._told: trio.Event  # both events of the main gateway are here

    def __repr__(self) -> str:
        return f"<Speaker {self.name!r}, {len(self.frames)} frames heard>"

    async def __aenter__(self) -> Self:
        if self._life is not None:
            raise LocalProtocolError("a speaker joins once: make another one")
        gateway = self._guild.gateway

        def add(server: MainServer, now: float) -> None:
            self.user_id = server.add_member(self._guild._guild, self.name).id

        gateway.call(add)
        gateway._member_calls[self.user_id] = self._take_event
        self._joined = gateway._expect()
        self._life = gateway._submit(self._live)
        await outcome(self._joined)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._life is not None
        self._guild.gateway._enqueue(self._leaving.set)
        await outcome(self._life)

    # -- talking ----------------------------------------------------------------------

    async def talk(self, seconds: float = 1.0, *, hertz: float = 440.0) -> None:
        """Say a tone, to its end. Raises `OpusNotFound` without libopus."""
        await self.play(open_tone(seconds, hertz))

    async def play(self, source: Frames | str | os.PathLike[str]) -> None:
        """Play a file or a source to its end. Raises what `voicekit.trio.Voice.play` raises."""
        voice = self._call()

        async def play() -> None:
            await voice.play(source)

        await outcome(self._guild.gateway._submit(play))

    # -- listening --------------------------------------------------------------------

    def heard(self, user_id: int | None = None) -> list[AudioFrame]:
        """Return the frames of somebody, by default the bot, that are not mere silence."""
        user = self._guild.bot_id if user_id is None else user_id
        frames = self.frames.copy()
        return [one for one in frames if one.user_id == user and one.opus != SILENCE_FRAME]

    async def listen(
        self, frames: int = 25, user_id: int | None = None, *, within: float = 10.0
    ) -> list[AudioFrame]:
        """Wait for as many frames of somebody, by default the bot, and return them.

        They follow those that the last call returned, whenever they came: none is missed between
        two calls. Silence frames do not count. Raises `TimeoutError` after ``within`` seconds.
        """
        user = self._guild.bot_id if user_id is None else user_id
        first = self._listened.get(user, 0)
        await self._guild.until(
            lambda: len(self.heard(user)) >= first + frames,
            f"heard {frames} frames by {self.name}",
            within=within,
        )
        self._listened[user] = first + frames
        return self.heard(user)[first : first + frames]

    def pcm(self, user_id: int | None = None) -> "array.array[int]":
        """Return what somebody, by default the bot, has said: int16 at 48 kHz, left, right.

        Frames follow each other without the gaps between them. Raises `OpusNotFound`.
        """
        from voicekit.opus import Decoder

        decoder = Decoder()
        return array.array("h", b"".join(decoder.decode(one.opus) for one in self.heard(user_id)))

    async def encrypted(self, *, within: float = 10.0) -> None:
        """Wait until what it says is end-to-end encrypted. Raises `TimeoutError`."""
        connection = self._call().connection
        await self._guild.until(
            lambda: connection.is_encrypted, f"encrypted for {self.name}", within=within
        )

    # -- in the gateway's thread --------------------------------------------------------

    def _call(self) -> Voice:
        if self._voice is None:
            raise LocalProtocolError(f"{self.name} is in no call: use ``async with``")
        return self._voice

    async def _live(self) -> None:
        """Join, listen, and leave when told to."""
        self._leaving, self._told = trio.Event(), trio.Event()
        try:
            self._ask(self._channel.id)
            with trio.move_on_after(self._within):
                await self._told.wait()
            async with (
                connect(self._info()) as self._voice,
                beside(partial(self._hear, self._voice)),
            ):
                self._joined.set_result(None)
                await self._leaving.wait()
        except Exception as error:
            if self._joined.done():
                raise
            self._joined.set_exception(error)
        finally:
            self._voice = None
            self._ask(None)

    def _ask(self, channel_id: int | None) -> None:
        """Do what op 4 does."""
        gateway, guild = self._guild.gateway, self._guild._guild
        gateway.server.voice.request(guild, self.user_id, channel_id, trio.current_time())
        gateway._running.drain()

    async def _hear(self, voice: Voice) -> None:
        try:
            async for frame in voice.frames():
                self.frames.append(frame)
        except VoicekitError as error:
            self.ended = error  # kicked, as tests will have it

    def _take_event(self, event: MemberEvent) -> None:
        data, voice = event.data, self._voice
        if event.name == "VOICE_SERVER_UPDATE":
            self._server = data["token"], data["endpoint"]
            if voice is not None:
                voice.update_voice_server(*self._server)
        elif event.name == "VOICE_STATE_UPDATE" and data["user_id"] == str(self.user_id):
            self._session_id = data["session_id"]
            where = data["channel_id"]
            if voice is not None:
                channel_id = None if where is None else int(where)
                voice.update_voice_state(channel_id, self._session_id)
        if self._session_id is not None and self._server is not None:
            self._told.set()

    def _info(self) -> VoiceServerInfo:
        if self._server is None or self._session_id is None:
            why = f"no answer to {self.name} within {self._within:g} s: is the channel full?"
            raise TimeoutError(why)
        token, endpoint = self._server
        return VoiceServerInfo(
            endpoint=endpoint,
            server_id=self._guild.id,
            channel_id=self._channel.id,
            user_id=self.user_id,
            session_id=self._session_id,
            token=token,
        )
