"""Telling bot libraries where the stand-in is: URLs that each of them has as an attribute.

Nothing of a library is replaced or patched but these addresses.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from voicekit.errors import LocalProtocolError

__all__ = ["configure"]

#: Attributes that hold the URL of the REST interface. Discord's own is what they hold before.
_REST = (
    ("http.Route", "BASE"),  # discord.py, disnake, nextcord
    ("http.Route", "API_BASE_URL"),  # py-cord
    ("api.http.route.Route", "BASE"),  # interactions.py
)
#: The rest ask the REST interface where the gateway is.
_GATEWAY = (("gateway.DiscordWebSocket", "DEFAULT_GATEWAY"),)  # discord.py


def configure(library: ModuleType, rest_url: str, gateway_url: str) -> Callable[[], None]:
    """Point a library at a stand-in; call what is returned to point it back.

    Raises `LocalProtocolError` for a library without such an attribute.
    """
    former: list[tuple[Any, str, Any]] = []
    for settings, url in ((_REST, rest_url), (_GATEWAY, gateway_url)):
        for path, name in settings:
            holder = _find(library, path)
            if holder is not None and hasattr(holder, name):
                value = getattr(holder, name)
                former.append((holder, name, value))
                setattr(holder, name, type(value)(url))  # text, or a URL object made of it
    if not former:
        raise LocalProtocolError(
            f"it is not known where {library.__name__} keeps its URLs: give it rest_url and"
            " gateway_url yourself (hikari: GatewayBot(guild.token, rest_url=guild.rest_url))"
        )

    def undo() -> None:
        for holder, name, value in former:
            setattr(holder, name, value)

    return undo


def _find(library: ModuleType, path: str) -> Any:
    found: Any = library
    for name in path.split("."):
        found = getattr(found, name, None)
    return found
