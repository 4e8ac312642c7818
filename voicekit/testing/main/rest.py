"""The REST interface: what libraries ask when they log in, and what a voice bot asks after.

Everything else is answered with 404, and noted in `Rest.unknown`.
https://discord.com/developers/docs/reference
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from . import objects
from .http import Request, Response
from .machine import MainServer
from .world import Channel, Guild, User

__all__ = ["Rest"]

#: How a route is answered: a method of `Rest`, with what its pattern caught.
Answer = Callable[..., Response]

#: Codes of https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_USER = 10003, 10004, 10007, 10013
UNKNOWN_VOICE_STATE = 10065


class Rest:
    """Answers the requests of bots. ``base`` is what all paths begin with, such as /api/v10."""

    def __init__(self, server: MainServer) -> None:
        self._server = server
        self._world = server.world
        #: Where the gateway is; the shell sets it once it listens.
        self.gateway_url = ""
        #: Requests that nothing here answers, for who wonders what a bot does without.
        self.unknown: list[str] = []
        self._commands: dict[tuple[int, int | None], list[dict[str, Any]]] = {}

    def answer(self, request: Request, now: float) -> Response:
        """Return the answer to a request. Never raises."""
        path = _VERSION.sub("", request.path)
        found = _find_route(request.method, path)
        if found is None:
            self.unknown.append(f"{request.method} {path}")
            return Response(404, {"message": "404: Not Found", "code": 0})
        answer, needs_login, ids = found
        bot = self._bot_of(request)
        if bot is None and needs_login:
            return Response(401, {"message": "401: Unauthorized", "code": 0})
        return answer(self, bot, request.json(), now, *ids)

    def _bot_of(self, request: Request) -> User | None:
        token = request.headers.get("authorization", "").removeprefix("Bot ")
        return self._world.bots.get(token)

    # -- logging in -------------------------------------------------------------------

    def _gateway(self, bot: User, body: Any, now: float) -> Response:
        return Response(200, {"url": self.gateway_url})

    def _gateway_bot(self, bot: User, body: Any, now: float) -> Response:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
        data = {"url": self.gateway_url, "shards": 1, "session_start_limit": limit}
        return Response(200, data)

    def _me(self, bot: User, body: Any, now: float) -> Response:
        return Response(200, objects.own_user(bot))

    def _application(self, bot: User, body: Any, now: float) -> Response:
        return Response(200, objects.application(bot))

    def _my_guilds(self, bot: User, body: Any, now: float) -> Response:
        guilds = [one for one in self._world.guilds.values() if bot.id in one.members]
        members = ("id", "name", "icon", "banner", "features", "approximate_member_count")
        partial = [{name: objects.guild(one)[name] for name in members} for one in guilds]
        extra = {"owner": False, "permissions": objects.PERMISSIONS}
        return Response(200, [one | extra for one in partial])

    # -- commands -----------------------------------------------------------------------

    def _get_commands(
        self, bot: User, body: Any, now: float, _: int, guild_id: int | None = None
    ) -> Response:
        return Response(200, self._commands.get((bot.id, guild_id), []))

    def _put_commands(
        self, bot: User, body: Any, now: float, _: int, guild_id: int | None = None
    ) -> Response:
        given = [one for one in body if isinstance(one, dict)] if isinstance(body, list) else []
        made = self._commands[bot.id, guild_id] = [self._made(bot, one, guild_id) for one in given]
        return Response(200, made)

    def _post_command(
        self, bot: User, body: Any, now: float, _: int, guild_id: int | None = None
    ) -> Response:
        if not isinstance(body, dict):
            return Response(400, {"message": "400: Bad Request", "code": 50035})
        made = self._made(bot, body, guild_id)
        self._commands.setdefault((bot.id, guild_id), []).append(made)
        return Response(201, made)

    def _made(self, bot: User, command: dict[str, Any], guild_id: int | None) -> dict[str, Any]:
        """Return a command as the platform keeps it."""
        defaults = {
            "type": 1,
            "description": "",
            "default_member_permissions": None,
            "nsfw": False,
            "name_localizations": None,
            "description_localizations": None,
        }
        number = str(self._world.new_id())
        made = {"id": number, "application_id": str(bot.id), "version": number}
        if guild_id is not None:
            made["guild_id"] = str(guild_id)
        return defaults | command | made

    # -- what there is --------------------------------------------------------------------

    def _user(self, bot: User, body: Any, now: float, user_id: int) -> Response:
        user = self._world.users.get(user_id)
        return _unknown(UNKNOWN_USER, "User") if user is None else _ok(objects.user(user))

    def _guild(self, bot: User, body: Any, now: float, guild_id: int) -> Response:
        guild = self._guild_of(bot, guild_id)
        return _unknown(UNKNOWN_GUILD, "Guild") if guild is None else _ok(objects.guild(guild))

    def _channels(self, bot: User, body: Any, now: float, guild_id: int) -> Response:
        guild = self._guild_of(bot, guild_id)
        if guild is None:
            return _unknown(UNKNOWN_GUILD, "Guild")
        return _ok([objects.channel(one) for one in guild.channels.values()])

    def _members(self, bot: User, body: Any, now: float, guild_id: int) -> Response:
        guild = self._guild_of(bot, guild_id)
        if guild is None:
            return _unknown(UNKNOWN_GUILD, "Guild")
        return _ok([objects.member(one) for one in guild.members.values()])

    def _roles(self, bot: User, body: Any, now: float, guild_id: int) -> Response:
        guild = self._guild_of(bot, guild_id)
        return _unknown(UNKNOWN_GUILD, "Guild") if guild is None else _ok([objects.role(guild)])

    def _member(self, bot: User, body: Any, now: float, guild_id: int, user_id: int) -> Response:
        guild = self._guild_of(bot, guild_id)
        if guild is None or user_id not in guild.members:
            return _unknown(UNKNOWN_MEMBER, "Member")
        return _ok(objects.member(guild.members[user_id]))

    def _my_member(self, bot: User, body: Any, now: float, guild_id: int) -> Response:
        return self._member(bot, body, now, guild_id, bot.id)

    def _channel(self, bot: User, body: Any, now: float, channel_id: int) -> Response:
        channel = self._world.channel(channel_id)
        if channel is None or self._guild_of(bot, channel.guild_id) is None:
            return _unknown(UNKNOWN_CHANNEL, "Channel")
        return _ok(objects.channel(channel))

    def _voice_state(
        self, bot: User, body: Any, now: float, guild_id: int, user_id: int
    ) -> Response:
        guild = self._guild_of(bot, guild_id)
        state = None if guild is None else guild.voice_states.get(user_id)
        if guild is None or state is None:
            return _unknown(UNKNOWN_VOICE_STATE, "Voice State")
        return _ok(objects.voice_state(state, guild))

    def _my_voice_state(self, bot: User, body: Any, now: float, guild_id: int) -> Response:
        return self._voice_state(bot, body, now, guild_id, bot.id)

    def _nothing(self, bot: User, body: Any, now: float, *ids: int) -> Response:
        return Response(204)

    def _no_list(self, bot: User, body: Any, now: float, *ids: int) -> Response:
        return Response(200, [])

    def _no_items(self, bot: User, body: Any, now: float, *ids: int) -> Response:
        return Response(200, {"items": []})

    # -- what bots do to others ------------------------------------------------------------

    def _modify_member(
        self, bot: User, body: Any, now: float, guild_id: int, user_id: int
    ) -> Response:
        """Move or kick somebody; all else that there is to modify stays as it is."""
        guild = self._guild_of(bot, guild_id)
        if guild is None or user_id not in guild.members:
            return _unknown(UNKNOWN_MEMBER, "Member")
        if isinstance(body, dict) and "channel_id" in body:
            channel = _find_channel(guild, body["channel_id"])
            if channel is not None:
                self._server.voice.move(guild, user_id, channel, now)
            elif body["channel_id"] is None:
                self._server.voice.kick(guild, user_id, now)
        return _ok(objects.member(guild.members[user_id]))

    def _guild_of(self, bot: User, guild_id: int) -> Guild | None:
        guild = self._world.guilds.get(guild_id)
        return guild if guild is not None and bot.id in guild.members else None


def _find_route(method: str, path: str) -> tuple[Answer, bool, list[int]] | None:
    """Return who answers, whether that takes a token, and the ids in the path."""
    for its_method, pattern, answer, needs_login in _ROUTES:
        if its_method == method and (match := pattern.fullmatch(path)) is not None:
            return answer, needs_login, [int(one) for one in match.groups()]
    return None


def _find_channel(guild: Guild, channel_id: object) -> Channel | None:
    text = str(channel_id)
    return guild.channels.get(int(text)) if text.isascii() and text.isdigit() else None


def _ok(data: Any) -> Response:
    return Response(200, data)


def _unknown(code: int, what: str) -> Response:
    return Response(404, {"message": f"Unknown {what}", "code": code})


#: Libraries are given the URL with or without a version; both are fine.
_VERSION = re.compile(r"^(/api)?(/v\d+)?(?=/)")

_TABLE: Iterable[tuple[str, str, Answer]] = (
    ("GET", "/gateway", Rest._gateway),
    ("GET", "/gateway/bot", Rest._gateway_bot),
    ("GET", "/users/@me", Rest._me),
    ("GET", "/users/@me/guilds", Rest._my_guilds),
    ("GET", "/oauth2/applications/@me", Rest._application),
    ("GET", "/applications/@me", Rest._application),
    ("GET", "/applications/ID/commands", Rest._get_commands),
    ("PUT", "/applications/ID/commands", Rest._put_commands),
    ("POST", "/applications/ID/commands", Rest._post_command),
    ("GET", "/applications/ID/guilds/ID/commands", Rest._get_commands),
    ("PUT", "/applications/ID/guilds/ID/commands", Rest._put_commands),
    ("POST", "/applications/ID/guilds/ID/commands", Rest._post_command),
    ("GET", "/applications/ID/guilds/ID/commands/permissions", Rest._no_list),
    ("GET", "/applications/ID/emojis", Rest._no_items),
    ("GET", "/soundboard-default-sounds", Rest._no_list),
    ("GET", "/users/ID", Rest._user),
    ("GET", "/guilds/ID", Rest._guild),
    ("GET", "/guilds/ID/channels", Rest._channels),
    ("GET", "/guilds/ID/roles", Rest._roles),
    ("GET", "/guilds/ID/members", Rest._members),
    ("GET", "/guilds/ID/members/@me", Rest._my_member),
    ("GET", "/guilds/ID/members/ID", Rest._member),
    ("PATCH", "/guilds/ID/members/ID", Rest._modify_member),
    ("GET", "/guilds/ID/voice-states/@me", Rest._my_voice_state),
    ("GET", "/guilds/ID/voice-states/ID", Rest._voice_state),
    ("GET", "/channels/ID", Rest._channel),
    ("PUT", "/channels/ID/voice-status", Rest._nothing),
    ("GET", "/voice/regions", Rest._no_list),
)

#: Method, pattern, answer, and whether it takes a token.
_ROUTES = [
    (method, re.compile(path.replace("ID", r"(\d{1,20})")), answer, path != "/gateway")
    for method, path, answer in _TABLE
]
