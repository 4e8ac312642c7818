"""What the host's two events mean for a gateway connection, in whichever order they come.

Discord sends VOICE_STATE_UPDATE and VOICE_SERVER_UPDATE independently of each other and
of the voice WebSocket's close. A move is one of each; a change of region is a server
update alone; a kick is a state update with a null channel.
"""

import math

from msgspec.structs import replace

from .config import Config
from .gateway_states import IDENTIFIED_STATES, GatewayInput, GatewayState
from .gateway_versions import CHANNEL_VERSION
from .server_info import VoiceServerInfo

__all__ = ["HostUpdates"]


class HostUpdates:
    """The newest `VoiceServerInfo`, and what an update to it is to the state machine."""

    def __init__(self, info: VoiceServerInfo, config: Config) -> None:
        self.info = info
        #: We are in another channel or main session than the voice session was made for,
        #: and the token that belongs to it has not come yet.
        self.is_moved = False
        self._config = config
        self._token_until = -math.inf  # until then a move belongs to the last token
        self._leave_expected = False
        self._has_new_state = False
        self._has_new_server = False

    def expect_rejoin(self) -> None:
        """Wait for the leave and the join that `NeedNewSession` asks for."""
        self._leave_expected = True
        self._has_new_state = self._has_new_server = False

    def session_opened(self) -> None:
        """Take the session as made: a null channel from now on is a kick again."""
        self._leave_expected = False

    def take_state(
        self, channel_id: int | None, session_id: str, state: GatewayState, dave: bool, now: float
    ) -> GatewayInput | None:
        """Take a VOICE_STATE_UPDATE. ``dave``: the session has a DAVE group, named by channel."""
        if channel_id is None:
            return self._channel_gone(state)
        other_channel = channel_id != self.info.channel_id
        other_session = session_id != self.info.session_id
        self.info = replace(self.info, channel_id=channel_id, session_id=session_id)
        if state is GatewayState.AWAITING_SESSION:
            self._has_new_state = True
            return self._rejoined()
        if state is GatewayState.IDLE or not (other_channel or other_session):
            return None
        if now > self._token_until:
            self.is_moved = True
            return None
        # The token came first. What was made with it under the old name is made anew.
        self._token_until = -math.inf
        named = other_session or self._config.gateway_version >= CHANNEL_VERSION
        if dave or (named and state in IDENTIFIED_STATES):
            return GatewayInput.LATE_CHANNEL
        return None

    def take_server(
        self, token: str, endpoint: str | None, state: GatewayState, now: float
    ) -> GatewayInput | None:
        """Take a VOICE_SERVER_UPDATE."""
        changed = token != self.info.token or endpoint != self.info.endpoint
        self.info = replace(self.info, token=token, endpoint=endpoint)
        if state is GatewayState.IDLE:
            return None
        if state is GatewayState.AWAITING_SESSION:
            self._has_new_server = endpoint is not None
            return self._rejoined()
        if endpoint is None:
            return GatewayInput.SERVER_GONE
        if not changed and state is not GatewayState.AWAITING_UPDATE:
            return None
        if self.is_moved:
            self.is_moved = False
        else:
            # The two events of a move are a moment apart. A token older than the host's
            # deadline was a change of region, and a later move brings its own.
            self._token_until = now + self._config.update_timeout
        return GatewayInput.NEW_SERVER

    def _channel_gone(self, state: GatewayState) -> GatewayInput | None:
        # Whatever came before a leave belongs to the session that it ends.
        self._has_new_state = self._has_new_server = False
        if self._leave_expected or state is GatewayState.AWAITING_SESSION:
            self._leave_expected = False
            return GatewayInput.EXPECTED_LEAVE
        return GatewayInput.REMOVED

    def _rejoined(self) -> GatewayInput | None:
        if not (self._has_new_state and self._has_new_server):
            return None
        self.is_moved = False
        return GatewayInput.REJOINED
