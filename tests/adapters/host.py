"""A host library in miniature: its gateway is a guild's, its op 4 a call into that."""

import asyncio
import itertools
from contextlib import suppress
from typing import Any

from voicekit.adapters.stay import CallOptions, Stay
from voicekit.errors import VoicekitError
from voicekit.join import SendVoiceState
from voicekit.testing import Guild

_names = itertools.count()


class Host:
    """One user of a guild, who may make one stay after the other."""

    def __init__(self, guild: Guild) -> None:
        self.guild = guild
        #: The channels that were asked for, None for leaving.
        self.asked: list[int | None] = []
        self.states: list[SendVoiceState] = []
        #: What stays have ended with by themselves.
        self.ended: list[VoicekitError | None] = []
        self.stay: Stay | None = None
        #: Raised by op 4, as by a library whose gateway is not there.
        self.failure: Exception | None = None
        self._loop = asyncio.get_running_loop()
        name = f"bot {next(_names)}"
        self.user_id: int = guild.gateway.call(
            lambda server, now: server.add_member(guild._guild, name).id
        )
        guild.gateway._member_calls[self.user_id] = self._take_event

    def make_stay(
        self,
        channel: str = "General",
        *,
        mute: bool = False,
        deaf: bool = False,
        patience: float = 5.0,
        options: CallOptions | None = None,
    ) -> Stay:
        self.stay = Stay(
            self.guild.id,
            self.guild.channel_id(channel),
            self.user_id,
            self._ask,
            self.ended.append,
            mute=mute,
            deaf=deaf,
            timeout=patience,
            options=options,
        )
        return self.stay

    def sits_in(self) -> str | None:
        return self.guild.channel_of(self.user_id)

    async def _ask(self, state: SendVoiceState) -> None:
        if self.failure is not None:
            raise self.failure
        self.asked.append(state.channel_id)
        self.states.append(state)
        guild = self.guild._guild
        self.guild.gateway.call(
            lambda server, now: server.voice.request(
                guild, self.user_id, state.channel_id, now, mute=state.mute, deaf=state.deaf
            )
        )

    def _take_event(self, event: Any) -> None:
        with suppress(RuntimeError):  # its event loop has ended
            self._loop.call_soon_threadsafe(self._hand_in, event.name, event.data)

    def _hand_in(self, name: str, data: dict[str, Any]) -> None:
        if self.stay is None:
            return
        if name == "VOICE_STATE_UPDATE":
            self.stay.receive_voice_state(data)
        elif name == "VOICE_SERVER_UPDATE":
            self.stay.receive_voice_server(data)
