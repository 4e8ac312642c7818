"""Receivers report loss (RTCP), and from then on the audio carries what repairs it."""

from typing import Any

import pytest

from tests.drivers.libraries import Listening, lib
from tests.drivers.players import ears_and_mouth
from tests.measure import music
from tests.media.files import wav
from tests.signals.calls import prompt
from tests.trio.calls import collect
from voicekit.media import EncoderOptions
from voicekit.opus_packet import opus_has_fec
from voicekit.server import ServerConfig

SONG = wav(music(6))
#: The type of IP discovery requests, the first thing that a server gets.
DISCOVERY = b"\x00\x01"
SPEECH: dict[str, Any] = {
    "application": "voip",
    "bitrate": 24_000,
    "signal": "voice",
    "fec": "always",
}


@pytest.mark.parametrize("follow_reports", [True, False])
def test_fec_comes_with_reported_loss_if_it_should(follow_reports: bool) -> None:
    heard: list[bytes] = []

    async def use(listening: Listening, network: Any) -> None:
        deliver, servers, sent = network.deliver, set(), 0

        def lose(data: bytes, sender: tuple[str, int], to: tuple[str, int]) -> Any:
            """One of five datagrams to the server, once the call has begun."""
            nonlocal sent
            if data.startswith(DISCOVERY):
                servers.add(to)
            sent += to in servers
            if to in servers and sent > 20 and sent % 5 == 0:
                return True
            return deliver(data, sender, to)

        network.deliver = lose
        async with (
            ears_and_mouth(listening, network) as (ears, mouth),
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(collect, ears.frames(), heard)
            options = EncoderOptions(**SPEECH, follow_reports=follow_reports)
            await mouth.player.play(prompt(SONG, encoder=options))
            await lib.sleep(5)
            nursery.cancel_scope.cancel()

    lib.in_memory(use, ServerConfig(rtcp=True, rtcp_interval=1.0))
    assert len(heard) > 150
    assert not any(map(opus_has_fec, heard[:30])), "nothing was reported yet"
    assert any(map(opus_has_fec, heard[-50:])) == follow_reports
