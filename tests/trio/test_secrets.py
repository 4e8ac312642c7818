"""No token in a log or a repr: regressions/test_43_secrets_in_logs.py, with the runner on top."""

import logging

import pytest
import trio

from voicekit.trio import Listening, connect

from .calls import Packets, in_memory, info, numbered
from .memory_network import MemoryNetwork

TOKEN = "0123456789abcdef-the-token"


def test_nothing_logged_or_shown_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    shown: list[str] = []

    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with connect(info(listening.url, token=TOKEN), network=network) as voice:
            events = voice.events()
            await voice.play(Packets(numbered(3)))
            listening.server.faults.drop(trio.current_time())
            listening.drain()
            await trio.sleep(5)
            shown.extend(map(repr, (voice, voice.connection, voice.stats(), listening)))
            shown.extend(map(repr, voice.connection.info.__struct_fields__))
        shown.extend([repr(event) async for event in events])

    with caplog.at_level(logging.DEBUG):
        in_memory(use)
    assert len(shown) > 5
    everything = "\n".join([*shown, caplog.text])
    for secret in (TOKEN, "session-1001"):
        assert secret not in everything
