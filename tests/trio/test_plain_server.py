"""The client against the plain server, which shares no code with it."""

import ssl

import pytest
import trio

from voicekit.config import Config
from voicekit.trio import connect

from ..independent.process import ServerProcess
from .calls import EARS, MOUTH, SILENCE, Packets, collect, info, numbered, until

PATIENCE = 30


@pytest.mark.parametrize(
    ("mode", "fault", "tls"),
    [
        ("aes", None, False),
        ("xchacha", None, True),
        ("aes", "drop@0.4", True),
        ("xchacha", "drop@0.4", False),
        ("aes", "close:4015@0.4", False),
        ("xchacha", "close:4015@0.4", True),
    ],
)
def test_every_packet_is_valid_and_arrives(mode: str, fault: str | None, tls: bool) -> None:
    flags = ["--mode", mode]
    flags += ["--tls"] if tls else []
    flags += ["--fault", fault] if fault else []
    packets = numbered(60)
    heard: list[bytes] = []
    resumes = 0

    async def main(url: str, context: ssl.SSLContext | None) -> None:
        nonlocal resumes
        with trio.fail_after(PATIENCE):
            async with (
                connect(
                    info(url, EARS), config=Config(receive_only=True), ssl_context=context
                ) as ears,
                connect(info(url, MOUTH), ssl_context=context) as mouth,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                await mouth.play(Packets(packets), ring=1.0)
                await until(lambda: len(heard) == 65)
                await until(lambda: mouth.stats().resumes == (fault is not None))
                nursery.cancel_scope.cancel()
        resumes = mouth.stats().resumes

    with ServerProcess(*flags) as server:
        context = ssl.create_default_context(cafile=server.ca_file) if tls else None
        trio.run(main, server.url, context)
        said = server.session_of(MOUTH)
    assert heard == packets + SILENCE
    assert said["packets_valid"] == 65
    assert not said["packets_bad"]
    assert resumes == (fault is not None)
