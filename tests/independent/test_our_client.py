"""voicekit's client in calls on the plain server, over real sockets."""

import ssl

import pytest
import trio

import voicekit.trio
from voicekit.config import Config
from voicekit.errors import AuthenticationFailed
from voicekit.events import AudioFrame, NeedNewSession, SessionReady, WaitingForUpdate
from voicekit.server_info import VoiceServerInfo

from .ciphers import MODES
from .process import ServerProcess
from .raw_client import CHANNEL_ID, SERVER_ID

ALICE, BOB = 3001, 3002
SILENCE = b"\xf8\xff\xfe"
TIMEOUT = 30


class Packets:
    """A source of numbered Opus packets: CELT, fullband, 20 ms, one frame."""

    blocking = False

    def __init__(self, count: int) -> None:
        self.all = [b"\xfc" + n.to_bytes(4, "big") + bytes(75) for n in range(count)]
        self._left = iter(self.all)

    def read(self) -> bytes | None:
        return next(self._left, None)


def info(server: ServerProcess, user_id: int) -> VoiceServerInfo:
    return VoiceServerInfo(
        endpoint=server.url,
        server_id=SERVER_ID,
        channel_id=CHANNEL_ID,
        user_id=user_id,
        session_id=f"session {user_id}",
        token="token",
    )


def run(main, *arguments):
    async def bounded():
        with trio.fail_after(TIMEOUT):
            return await main(*arguments)

    return trio.run(bounded)


async def call_of_two(server, packets, config=None, ssl_context=None) -> list[AudioFrame]:
    """Alice plays ``packets``, Bob listens; return what he heard, silence and all."""
    heard: list[AudioFrame] = []
    everything = len(packets.all) + 5

    async def listen(bob, listening):
        frames = bob.frames()
        listening.set()
        async for frame in frames:
            heard.append(frame)
            if len(heard) == everything:
                return

    options = {"config": config, "ssl_context": ssl_context}
    async with (
        voicekit.trio.connect(info(server, BOB), **options) as bob,
        voicekit.trio.connect(info(server, ALICE), **options) as alice,
        trio.open_nursery() as nursery,
    ):
        listening = trio.Event()
        nursery.start_soon(listen, bob, listening)
        await listening.wait()
        await alice.play(packets, ring=1.0)  # no gap on a busy machine
    return heard


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("flags", [(), ("--tls",)], ids=["ws", "wss"])
def test_every_packet_is_valid_and_heard(mode, flags):
    packets = Packets(50)
    with ServerProcess(*flags) as server:
        context = ssl.create_default_context(cafile=server.ca_file) if flags else None
        heard = run(call_of_two, server, packets, Config(modes=(mode,)), context)
        alice = server.session_of(ALICE)
    assert [frame.opus for frame in heard] == [*packets.all, *[SILENCE] * 5]
    assert {frame.user_id for frame in heard} == {ALICE}
    assert alice["mode"] == mode
    assert alice["packets_valid"] == 55
    assert alice["packets_bad"] == {}
    assert alice["keepalives"] >= 1
    assert alice["closes"] == [1000]


@pytest.mark.parametrize("version", range(4, 10))
def test_every_gateway_version_works(version):
    packets = Packets(10)
    with ServerProcess() as server:
        heard = run(call_of_two, server, packets, Config(gateway_version=version))
        alice = server.session_of(ALICE)
    assert [frame.opus for frame in heard[:10]] == packets.all
    assert alice["version"] == version
    assert alice["packets_valid"] == 15
    assert alice["packets_bad"] == {}


def test_header_extensions_and_padding_are_taken_off():
    packets = Packets(40)
    with ServerProcess("--decorate") as server:
        heard = run(call_of_two, server, packets)
    assert [frame.opus for frame in heard[:40]] == packets.all
    assert {(frame.audio_level, frame.speaker_flags) for frame in heard} == {(36, 2)}


def test_rtcp_reports_are_valid_and_share_the_nonces_of_audio():
    packets = Packets(50)
    with ServerProcess() as server:
        heard = run(call_of_two, server, packets, Config(rtcp=True, rtcp_interval=0.2))
        alice, bob = server.session_of(ALICE), server.session_of(BOB)
    assert [frame.opus for frame in heard[:50]] == packets.all
    assert alice["rtcp"] >= 3  # sender reports
    assert bob["rtcp"] >= 3  # receiver reports
    assert alice["packets_bad"] == bob["packets_bad"] == {}


def test_a_receive_only_client_opens_the_way_with_silence():
    async def main():
        async with voicekit.trio.connect(info(server, ALICE), config=Config(receive_only=True)):
            await trio.sleep(0.3)

    with ServerProcess() as server:
        run(main)
        alice = server.session_of(ALICE)
    assert alice["packets_valid"] == 5
    assert alice["packets_bad"] == {}


@pytest.mark.parametrize(
    ("fault", "version"),
    [("drop@0.4", 7), ("drop@0.4", 8), ("drop@0.4", 9), ("close:4015@0.4", 8)],
)
def test_a_call_goes_on_over_a_lost_socket_without_losing_a_packet(fault, version):
    packets = Packets(60)
    with ServerProcess("--fault", fault) as server:
        heard = run(call_of_two, server, packets, Config(gateway_version=version))
        alice = server.session_of(ALICE)
    assert [frame.opus for frame in heard] == [*packets.all, *[SILENCE] * 5]
    assert alice["resumes"] == 1
    assert alice["packets_valid"] == 65
    assert alice["packets_bad"] == {}


def test_a_socket_that_no_longer_answers_is_closed_and_resumed():
    packets = Packets(150)
    with ServerProcess("--heartbeat", "1000", "--fault", "stop-acks@0") as server:
        heard = run(call_of_two, server, packets)
        alice = server.session_of(ALICE)
    assert [frame.opus for frame in heard[:150]] == packets.all
    assert alice["resumes"] >= 1
    assert alice["packets_bad"] == {}


async def events_after(server, wanted, then=lambda voice: None):
    """Join; return the first ``wanted`` event, and whether a session came after ``then``."""
    async with voicekit.trio.connect(info(server, ALICE), wait_ready=False) as voice:
        found = None
        async for event in voice.events():
            if isinstance(event, wanted):
                found = event
                if then(voice) is None:
                    return found
            elif isinstance(event, SessionReady) and found is not None:
                return found
        raise AssertionError("the call ended")


def test_4014_waits_for_an_update_and_goes_on_with_it():
    def update(voice):
        voice.update_voice_server("token after the move", server.url)
        return True

    with ServerProcess("--fault", "close:4014@0.2") as server:
        waiting = run(events_after, server, WaitingForUpdate, update)
        sessions = [s for s in server.stop() if s["user_id"] == ALICE]
    assert waiting.code == 4014
    assert [s["resumes"] for s in sessions] == [0, 0]


def test_4006_asks_the_host_for_a_new_session():
    with ServerProcess("--fault", "close:4006@0.2") as server:
        needed = run(events_after, server, NeedNewSession)
    assert needed.code == 4006


def test_a_refused_token_is_a_typed_error():
    async def main():
        with pytest.raises(AuthenticationFailed) as refused:
            async with voicekit.trio.connect(info(server, ALICE)):
                pass
        return refused.value

    with ServerProcess("--token", "another") as server:
        error = run(main)
    assert error.code == 4004
    assert "token" in str(error)
