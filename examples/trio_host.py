"""A host on trio without a framework: its own main gateway, and calls in many guilds.

`Registry` says which call each of the gateway's events belongs to, `voicekit.trio` makes them.
The gateway here is two functions: one sends op 4, the other waits for the next event.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any

import trio

import voicekit.trio
from voicekit import Registry
from voicekit.connection_kinds import Voices
from voicekit.events import NeedNewSession
from voicekit.join import SendVoiceState
from voicekit.registry_events import ChannelJoined, RegistryEvent

Gateway = Callable[[], Awaitable[tuple[str, dict[str, Any]]]]
InCall = Callable[[voicekit.trio.Voice], Awaitable[object]]


class Host:
    """``in_call(voice)`` is run in each call; the call is left when it returns."""

    def __init__(
        self, user_id: int, send_op4: Callable[[dict[str, object]], object], in_call: InCall
    ) -> None:
        self._send_op4 = send_op4
        self._in_call = in_call
        self.registry: Registry[Any] = Registry(
            user_id, self._send_voice_state, Voices(), one_per_guild=True
        )
        self.happened: list[RegistryEvent] = []
        self._changed = trio.Event()

    def join(self, guild_id: int, channel_id: int) -> None:
        """Ask for a channel; `in_call` begins when we are in."""
        self.registry.create(guild_id, channel_id, trio.current_time())
        self._wake()

    def leave(self) -> None:
        """Leave all channels."""
        self.registry.disconnect_all(trio.current_time())
        self._wake()

    async def run(self, next_event: Gateway) -> None:
        """Run until cancelled: the gateway's events, the registry's, and a task for each call."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, next_event)
            while True:
                self._changed = trio.Event()
                while (event := self.registry.poll()) is not None:
                    self.happened.append(event)
                    if isinstance(event, ChannelJoined):
                        nursery.start_soon(self._call, event)
                due = self.registry.next_timeout()
                with trio.move_on_at(math.inf if due is None else due):
                    await self._changed.wait()
                self.registry.handle_timeout(trio.current_time())

    async def _listen(self, next_event: Gateway) -> None:
        while True:
            name, data = await next_event()
            if name == "VOICE_STATE_UPDATE":
                self.registry.receive_voice_state(data, trio.current_time())
            elif name == "VOICE_SERVER_UPDATE":
                self.registry.receive_voice_server(data, trio.current_time())
            self._wake()

    async def _call(self, joined: ChannelJoined) -> None:
        guild_id, channel_id = joined.guild_id, joined.channel_id
        async with voicekit.trio.connect(joined.info, wait_ready=False) as voice:
            if not self.registry.put(guild_id, channel_id, voice, trio.current_time()):
                return  # out again, before the call was made
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._mind, voice, guild_id)
                await voice.wait_ready()
                await self._in_call(voice)
                nursery.cancel_scope.cancel()

    async def _mind(self, voice: voicekit.trio.Voice, guild_id: int) -> None:
        async for event in voice.events():
            if isinstance(event, NeedNewSession):
                # The channel may have changed since: the registry knows where the call is.
                for _, channel_id, connection in self.registry.of_guild(guild_id):
                    if connection is voice:
                        self.registry.rejoin(guild_id, channel_id, trio.current_time())
                        self._wake()

    def _send_voice_state(self, op4: SendVoiceState) -> None:
        self._send_op4(op4.payload)

    def _wake(self) -> None:
        self._changed.set()
