"""Receivers report loss (RTCP), and from then on the audio carries what repairs it."""

from typing import Any

import pytest
import trio

from tests.measure import music
from tests.media.files import wav
from tests.signals.calls import prompt
from tests.trio.calls import collect, ears_and_mouth, in_memory
from tests.trio.memory_network import MemoryNetwork
from voicekit.media import EncoderOptions
from voicekit.opus_packet import opus_has_fec
from voicekit.server import ServerConfig
from voicekit.trio import Listening

SONG = wav(music(6))
SPEECH: dict[str, Any] = {
    "application": "voip",
    "bitrate": 24_000,
    "signal": "voice",
    "fec": "always",
}


@pytest.mark.parametrize("follow_reports", [True, False])
def test_fec_comes_with_reported_loss_if_it_should(follow_reports: bool) -> None:
    heard: list[bytes] = []

    async def use(listening: Listening, network: MemoryNetwork) -> None:
        deliver, sent = network.deliver, 0

        def lose(data: bytes, sender: tuple[str, int], to: tuple[str, int]) -> bool:
            """One of five datagrams to the server, once the call has begun."""
            nonlocal sent
            sent += to[1] == listening.udp_port
            if to[1] == listening.udp_port and sent > 20 and sent % 5 == 0:
                return True
            return deliver(data, sender, to)

        network.deliver = lose  # type: ignore[method-assign]
        async with (
            ears_and_mouth(listening, network) as (ears, mouth),
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(collect, ears.frames(), heard)
            options = EncoderOptions(**SPEECH, follow_reports=follow_reports)
            await mouth.player.play(prompt(SONG, encoder=options))
            await trio.sleep(5)
            nursery.cancel_scope.cancel()

    in_memory(use, ServerConfig(rtcp=True, rtcp_interval=1.0))
    assert len(heard) > 150
    assert not any(map(opus_has_fec, heard[:30])), "nothing was reported yet"
    assert any(map(opus_has_fec, heard[-50:])) == follow_reports
