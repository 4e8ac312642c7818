"""The half of Discord that hands out voice servers, as far as tests need it.

A bot's own (main) gateway says who is in which channel, and with which session and token.
No voice server has one, so this stand-in decides and emits `HostVoiceState` and
`HostVoiceServer`: "the host should now send this event". Whoever plays the host delivers
them. For users that it has placed, the voice server admits only what was handed out.
"""

import msgspec

from .outputs import HostVoiceServer, HostVoiceState
from .switchboard import Switchboard

__all__ = ["Host", "Placement"]


class Placement(msgspec.Struct, frozen=True):
    """Where a user is, and what it was given to connect with."""

    channel_id: int
    session_id: str
    token: str

    def __repr__(self) -> str:
        return f"Placement(channel_id={self.channel_id}, <secrets hidden>)"


class Host:
    """Joins, moves and kicks users. Methods are named for what Discord would be doing."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._placements: dict[tuple[int, int], Placement] = {}
        #: What VOICE_SERVER_UPDATE names; the shell sets it once it listens.
        self.endpoint: str | None = None

    def placement(self, server_id: int, user_id: int) -> Placement | None:
        """Return where a user was placed; None: this host knows nothing about it."""
        return self._placements.get((server_id, user_id))

    def join(self, server_id: int, channel_id: int, user_id: int, now: float) -> None:
        """Answer op 4 of the main gateway: both events. A user in a channel is moved."""
        if (server_id, user_id) in self._placements:
            self.move(server_id, user_id, channel_id, now)
            return
        self._place(server_id, user_id, channel_id, self._board.random.randbytes(16).hex())
        self._say_state(server_id, user_id)
        self.update_server(server_id, user_id, self.endpoint)

    def leave(
        self,
        server_id: int,
        user_id: int,
        now: float,
        *,
        code: int = 4014,
        close_first: bool = False,
    ) -> None:
        """Take a user out of its channel, at its own wish or as a kick.

        ``close_first`` is the order of the two things a client sees: the close of its
        voice WebSocket, and the null channel. Both orders happen.
        """
        session_id = self._session_id(server_id, user_id)
        if session_id is None:
            return
        self._placements.pop((server_id, user_id), None)
        if close_first:
            self._close(server_id, user_id, code, "disconnected", now)
        self._board.outputs.append(HostVoiceState(server_id, user_id, None, session_id))
        if not close_first:
            self._close(server_id, user_id, code, "disconnected", now)

    def move(
        self,
        server_id: int,
        user_id: int,
        channel_id: int,
        now: float,
        *,
        code: int = 4014,
        close_first: bool = False,
    ) -> None:
        """Move a user to another channel: a new token, and the old session is over."""
        session_id = self._session_id(server_id, user_id)
        if session_id is None:
            return
        session = self._board.sessions.get((server_id, user_id))
        if session is not None:
            session.room.other_channels.add(channel_id)
        self._place(server_id, user_id, channel_id, session_id)
        if close_first:
            self._close(server_id, user_id, code, "moved", now)
        self._say_state(server_id, user_id)
        self.update_server(server_id, user_id, self.endpoint)
        if not close_first:
            self._close(server_id, user_id, code, "moved", now)

    def admit(
        self,
        server_id: int,
        channel_id: int,
        user_id: int,
        session_id: str,
        *,
        say_state: bool = True,
    ) -> None:
        """Take over a user from another voice server: its session's name, a new token.

        ``say_state``: it comes to another channel with that, which is news as well.
        """
        self._place(server_id, user_id, channel_id, session_id)
        if say_state:
            self._say_state(server_id, user_id)
        self.update_server(server_id, user_id, self.endpoint)

    def withdraw(self, server_id: int, user_id: int, now: float, *, code: int = 4014) -> None:
        """End a user's session here without a word on the main gateway."""
        self._placements.pop((server_id, user_id), None)
        self._close(server_id, user_id, code, "elsewhere", now)

    def revoke(self, server_id: int, user_id: int) -> None:
        """Make what a user was given invalid: it must leave and join again."""
        placement = self._placements.get((server_id, user_id))
        if placement is not None:
            nobody = self._board.random.randbytes(16).hex()
            self._place(server_id, user_id, placement.channel_id, nobody)

    def update_server(
        self, server_id: int, user_id: int, endpoint: str | None, token: str | None = None
    ) -> None:
        """Send VOICE_SERVER_UPDATE alone; a null endpoint says that the server is gone.

        ``token`` is for users that were not placed by this host and have no session now.
        """
        placement = self._placements.get((server_id, user_id))
        session = self._board.sessions.get((server_id, user_id))
        if placement is not None:
            token = placement.token
        elif session is not None:
            token = session.token
        if token is not None:
            self._board.outputs.append(HostVoiceServer(server_id, user_id, token, endpoint))

    def _session_id(self, server_id: int, user_id: int) -> str | None:
        """Return the session id of a user of whom anything is known."""
        session = self._board.sessions.get((server_id, user_id))
        if session is not None:
            return session.session_id
        placement = self._placements.get((server_id, user_id))
        return None if placement is None else placement.session_id

    def _place(self, server_id: int, user_id: int, channel_id: int, session_id: str) -> None:
        token = self._board.random.randbytes(16).hex()
        self._placements[server_id, user_id] = Placement(channel_id, session_id, token)

    def _say_state(self, server_id: int, user_id: int) -> None:
        placement = self._placements[server_id, user_id]
        self._board.outputs.append(
            HostVoiceState(server_id, user_id, placement.channel_id, placement.session_id)
        )

    def _close(self, server_id: int, user_id: int, code: int, reason: str, now: float) -> None:
        session = self._board.sessions.get((server_id, user_id))
        if session is not None:
            self._board.dismiss(session, code, reason, now)
