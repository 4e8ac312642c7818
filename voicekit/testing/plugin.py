"""pytest plugin: the fixtures ``voice_server`` and ``voice_guild``, on this machine.

    def test_my_bot(voice_server):
        my_bot.connect(voice_server.url, ...)
        assert voice_server.stats()[0].packets_bad == {}

    @pytest.mark.voice_server(loss=0.05, network_seed=7)    # any `ServerConfig` member
    def test_my_bot_on_a_bad_network(voice_server): ...

    async def test_my_bot_in_a_guild(voice_guild):          # what `voicekit.testing.guild` gives
        voice_guild.configure(discord)
        ...

Nothing but pytest is imported before the fixture is used: this runs in everybody's pytest.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from voicekit.server import ServerConfig
    from voicekit.testing.guilds import Guild
    from voicekit.testing.loopback import LoopbackServer

__all__ = ["pytest_configure", "voice_guild", "voice_server"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "voice_server(**settings): settings of voicekit's voice servers in fixtures"
    )


@pytest.fixture
def voice_server(request: pytest.FixtureRequest) -> "Iterator[LoopbackServer]":
    """Run voicekit's loopback voice server: ``url``, ``endpoint``, ``udp_port``, ``stats()``."""
    from voicekit.testing.loopback import LoopbackServer

    with LoopbackServer(_settings(request)) as server:
        yield server


@pytest.fixture
def voice_guild(request: pytest.FixtureRequest) -> "Iterator[Guild]":
    """Run a guild with a bot's account in it: ``token``, ``configure(library)``, ``speaker()``."""
    from voicekit.testing.guilds import guild

    with guild(voice=_settings(request)) as made:
        yield made


def _settings(request: pytest.FixtureRequest) -> "ServerConfig":
    from voicekit.server import ServerConfig

    marker = request.node.get_closest_marker("voice_server")
    return ServerConfig(**(marker.kwargs if marker else {}))
