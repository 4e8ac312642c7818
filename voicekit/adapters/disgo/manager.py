"""The connections of all guilds: `Manager`."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from ...server_info import require_id, snowflake
from .conn import Conn, StateUpdate

__all__ = ["Manager"]


class Manager:
    """One `Conn` for each guild. ``conn_create`` makes them; ``settings`` are those of `Conn`."""

    def __init__(
        self,
        voice_state_update: StateUpdate,
        user_id: int,
        *,
        conn_create: Callable[..., Conn] = Conn,
        **settings: Any,
    ) -> None:
        self._voice_state_update = voice_state_update
        self._user_id = require_id("user_id", user_id)
        self._conn_create = conn_create
        self._settings = settings
        self._conns: dict[int, Conn] = {}

    def create_conn(self, guild_id: int) -> Conn:
        """Return the guild's connection, a new one where there is none."""
        require_id("guild_id", guild_id)
        conn = self._conns.get(guild_id)
        if conn is None:
            conn = self._conns[guild_id] = self._conn_create(
                guild_id,
                self._user_id,
                self._voice_state_update,
                lambda: self.remove_conn(guild_id),
                **self._settings,
            )
        return conn

    def get_conn(self, guild_id: int) -> Conn | None:
        """Return the guild's connection, or None."""
        return self._conns.get(guild_id)

    def for_each_conn(self, function: Callable[[Conn], object]) -> None:
        """Call ``function`` with each connection; it may remove some."""
        for conn in list(self._conns.values()):
            function(conn)

    def remove_conn(self, guild_id: int) -> None:
        """Forget the guild's connection; it is not closed by that."""
        self._conns.pop(guild_id, None)

    async def close(self) -> None:
        """Close all connections. One that fails does not keep the others."""
        conns = list(self._conns.values())
        results = await asyncio.gather(*(conn.close() for conn in conns), return_exceptions=True)
        errors = [result for result in results if isinstance(result, Exception)]
        if errors:
            raise ExceptionGroup("connections that could not be closed in order", errors)

    def handle_voice_state_update(self, update: Mapping[str, Any]) -> None:
        """Take the ``d`` of a VOICE_STATE_UPDATE."""
        conn = self._conns.get(snowflake(update.get("guild_id")) or 0)
        if conn is not None:
            conn.handle_voice_state_update(update)

    def handle_voice_server_update(self, update: Mapping[str, Any]) -> None:
        """Take the ``d`` of a VOICE_SERVER_UPDATE."""
        conn = self._conns.get(snowflake(update.get("guild_id")) or 0)
        if conn is not None:
            conn.handle_voice_server_update(update)
