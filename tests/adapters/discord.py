"""The half of Discord that answers op 4, played by the loopback server's own host."""

from collections.abc import Callable
from typing import Any

from voicekit.server.outputs import HostVoiceServer, HostVoiceState
from voicekit.testing import LoopbackServer


class Discord:
    """``deliver(name, data)`` is given the two events, in the thread that has caused them."""

    def __init__(
        self,
        server: LoopbackServer,
        user_id: int,
        deliver: Callable[[str, dict[str, Any]], object],
    ) -> None:
        self._server = server
        self._user_id = user_id
        self._deliver = deliver
        self._told = 0

    def take_op4(self, guild_id: int, channel_id: int | None) -> None:
        def answer(core: Any, now: float) -> None:
            if channel_id is None:
                core.host.leave(guild_id, self._user_id, now)
            else:
                core.host.join(guild_id, channel_id, self._user_id, now)

        self.do(answer)

    def do(self, action: Callable[[Any, float], object]) -> None:
        """Have something happen on the server, and tell of it."""
        self._server.call(action)
        events, self._told = self._server.events[self._told :], len(self._server.events)
        for event in events:
            if isinstance(event, HostVoiceState):
                self._deliver("VOICE_STATE_UPDATE", event.data)
            elif isinstance(event, HostVoiceServer):
                self._deliver("VOICE_SERVER_UPDATE", event.data)
