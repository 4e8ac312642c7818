"""pytest plugin: the fixture ``voice_server``, a real voice server on this machine.

    def test_my_bot(voice_server):
        my_bot.connect(voice_server.url, ...)
        assert voice_server.stats()[0].packets_bad == {}

    @pytest.mark.voice_server(loss=0.05, network_seed=7)    # any `ServerConfig` member
    def test_my_bot_on_a_bad_network(voice_server): ...

Nothing but pytest is imported before the fixture is used: this runs in everybody's pytest.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from voicekit.testing.loopback import LoopbackServer

__all__ = ["pytest_configure", "voice_server"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "voice_server(**settings): settings of voicekit's voice_server fixture"
    )


@pytest.fixture
def voice_server(request: pytest.FixtureRequest) -> "Iterator[LoopbackServer]":
    """Run voicekit's loopback voice server: ``url``, ``endpoint``, ``udp_port``, ``stats()``."""
    from voicekit.server import ServerConfig
    from voicekit.testing.loopback import LoopbackServer

    marker = request.node.get_closest_marker("voice_server")
    with LoopbackServer(ServerConfig(**(marker.kwargs if marker else {}))) as server:
        yield server
