"""What goes wrong in a call, on a clock that jumps: typed errors, and audio that goes on."""

import pytest

from voicekit.close_codes import ClosePolicy
from voicekit.config import Config
from voicekit.driver.call import Call as Voice
from voicekit.errors import (
    AuthenticationFailed,
    CallClosed,
    ConnectFailed,
    EncryptionRequired,
    ModeUnavailable,
    VoicekitError,
)
from voicekit.events import (
    Closed,
    NeedNewSession,
    ProtocolViolation,
    Reconnecting,
    SessionReady,
    SessionResumed,
    WaitingForUpdate,
)
from voicekit.server import Impairment, ServerConfig

from ..trio.calls import EARS, MOUTH, SILENCE, Packets, account, collect, info, numbered
from .libraries import Listening, Network, host_of, lib

LISTENER = Config(receive_only=True)


# -- no call at all -----------------------------------------------------------------


def test_an_unreachable_server_is_a_connect_failed_with_the_number_of_tries() -> None:
    async def use(listening: Listening, network: Network) -> None:
        with pytest.raises(ConnectFailed, match="refused") as caught:
            async with lib.connect(info("ws://127.0.0.1:1"), network=network):
                pytest.fail("there is no server")
        assert caught.value.stage == "websocket"
        assert caught.value.attempts == 5

    lib.in_memory(use)


def test_a_server_that_never_answers_is_given_up_in_bounded_time() -> None:
    class Mute(lib.MemoryNetwork):  # type: ignore[misc, name-defined]
        async def connect_stream(self, *where: object) -> object:
            stream = await super().connect_stream(*where)
            stream.stalls_receiving = True
            return stream

    async def use(listening: Listening, network: Network) -> None:
        mute = Mute()
        mute._listeners = network._listeners
        with pytest.raises(ConnectFailed) as caught:
            async with lib.connect(info(listening.url), network=mute):
                pytest.fail("it never answers")
        assert caught.value.stage in ("websocket", "handshake")
        assert lib.current_time() <= 35
        assert not mute.open
        await lib.sleep(20)

    lib.in_memory(use)


@pytest.mark.parametrize("endpoint", ["ws://", "ws://host:port", "ws://[", "http://x"])
def test_an_endpoint_that_is_none_is_a_connect_failed_too(endpoint: str) -> None:
    async def use(listening: Listening, network: Network) -> None:
        with pytest.raises(ConnectFailed):
            async with lib.connect(info(endpoint), network=network):
                pytest.fail("that is no endpoint")

    lib.in_memory(use)


def test_blocked_udp_is_named_as_such() -> None:
    # users.md item 12: UDP blocked, and nothing ever said so.
    async def use(listening: Listening, network: Network) -> None:
        network.udp_works = False
        began = lib.current_time()
        with pytest.raises(ConnectFailed, match="UDP") as caught:
            async with lib.connect(info(listening.url), network=network):
                pytest.fail("there is no UDP")
        assert caught.value.stage == "udp_discovery"
        assert caught.value.attempts == 10
        assert lib.current_time() - began == pytest.approx(10, abs=0.5)

    lib.in_memory(use)


def test_a_udp_socket_that_cannot_be_opened_is_tried_again_and_then_named() -> None:
    class NoUdp(lib.MemoryNetwork):  # type: ignore[misc, name-defined]
        tries = 0

        async def connect_datagrams(self, host: str, port: int) -> None:  # type: ignore[override]
            self.tries += 1
            raise PermissionError(1, "Operation not permitted")

    async def use(listening: Listening, network: Network) -> None:
        without = NoUdp()
        without._listeners = network._listeners
        with pytest.raises(ConnectFailed, match="not permitted") as caught:
            async with lib.connect(info(listening.url), network=without):
                pytest.fail("there is no UDP")
        assert caught.value.stage == "udp"
        assert without.tries == caught.value.attempts > 1

    lib.in_memory(use)


def test_a_wrong_token_is_an_authentication_failure() -> None:
    async def use(listening: Listening, network: Network) -> None:
        with pytest.raises(AuthenticationFailed) as caught:
            async with lib.connect(info(listening.url, token="s3cret-guess"), network=network):
                pytest.fail("it was wrong")
        assert caught.value.code == 4004
        assert "s3cret-guess" not in str(caught.value)

    lib.in_memory(use, ServerConfig(token="right"))


def test_modes_that_do_not_meet_are_a_mode_unavailable() -> None:
    async def use(listening: Listening, network: Network) -> None:
        config = Config(modes=("aead_aes256_gcm_rtpsize",))
        with pytest.raises(ModeUnavailable):
            async with lib.connect(info(listening.url), config=config, network=network):
                pytest.fail("the server offers the other one")

    lib.in_memory(use, ServerConfig(modes=("aead_xchacha20_poly1305_rtpsize",)))


def test_a_host_that_cannot_help_yet_is_not_waited_for() -> None:
    async def use(listening: Listening, network: Network) -> None:
        nowhere = info(listening.url)
        nowhere = type(nowhere)(**{**as_dict(nowhere), "endpoint": None})
        with pytest.raises(ConnectFailed) as caught:
            async with lib.connect(nowhere, network=network):
                pytest.fail("there is no endpoint")
        assert caught.value.stage == "update"
        assert lib.current_time() < 1

    lib.in_memory(use)


def test_a_session_refused_while_connecting_is_raised_at_once() -> None:
    async def use(listening: Listening, network: Network) -> None:
        network.udp_works = False  # holds it up in discovery
        async with lib.open_nursery() as nursery:

            @nursery.start_soon
            async def refuse() -> None:
                await lib.sleep(0.5)
                listening.server.faults.close(4006, lib.current_time())
                listening.drain()

            with pytest.raises(CallClosed) as caught:
                async with lib.connect(info(listening.url), network=network):
                    pytest.fail("it was refused")
        assert caught.value.code == 4006
        assert lib.current_time() < 1

    lib.in_memory(use)


def test_without_wait_ready_the_host_hands_in_the_update_that_is_missing() -> None:
    async def use(listening: Listening, network: Network) -> None:
        nowhere = type(info(""))(**{**as_dict(info("")), "endpoint": None})
        async with lib.connect(nowhere, network=network, wait_ready=False) as voice:
            assert not voice.connection.is_ready
            voice.update_voice_server("token", listening.url)
            with lib.fail_after(5):
                await voice.wait_ready()
            await voice.play(Packets(numbered(3)))
            assert account(listening).packets_valid == 8

    lib.in_memory(use)


# -- a call that is disturbed ---------------------------------------------------------


async def play_through(
    listening: Listening, network: Network, disturb: str, code: int | None = None
) -> tuple[list[object], Voice]:
    """Play 200 frames past a disturbance; every one must arrive. Return the player's events."""
    packets = numbered(200)
    heard: list[bytes] = []
    async with (
        lib.connect(info(listening.url, EARS), config=LISTENER, network=network) as ears,
        lib.connect(info(listening.url, MOUTH), network=network) as mouth,
        lib.open_nursery() as nursery,
    ):
        nursery.start_soon(collect, ears.frames(), heard)
        nursery.start_soon(mouth.play, Packets(packets))
        await lib.sleep(1)
        now = lib.current_time()
        if code is not None:
            listening.server.faults.close(code, now, user_id=MOUTH)
        else:
            getattr(listening.server.faults, disturb)(now, user_id=MOUTH)
        listening.drain()
        await lib.sleep(5)
        assert heard == packets + SILENCE
        assert mouth.frames_played == 200
        assert mouth.stats().drops == {}
        nursery.cancel_scope.cancel()
    said = account(listening)
    assert said.packets_valid == 205
    assert said.packets_bad == {}
    assert said.packets_missing == 0
    return [event async for event in mouth.events()], mouth


def test_a_dropped_socket_in_mid_play_loses_no_packet() -> None:
    async def use(listening: Listening, network: Network) -> None:
        events, mouth = await play_through(listening, network, "drop")
        assert mouth.stats().resumes == 1
        assert [type(e) for e in events if isinstance(e, (Reconnecting, SessionResumed))] == [
            Reconnecting,
            SessionResumed,
        ]

    lib.in_memory(use)


@pytest.mark.parametrize("code", [4015, 4000, 1001, 1011])
def test_a_close_that_can_be_resumed_loses_no_packet(code: int) -> None:
    async def use(listening: Listening, network: Network) -> None:
        _, mouth = await play_through(listening, network, "close", code)
        assert mouth.stats().resumes == 1

    lib.in_memory(use)


def test_play_pauses_while_a_new_session_is_made_and_loses_nothing() -> None:
    async def use(listening: Listening, network: Network) -> None:
        packets = numbered(100)
        async with lib.connect(info(listening.url), network=network) as voice:
            async with lib.open_nursery() as nursery:
                nursery.start_soon(voice.play, Packets(packets))
                await lib.sleep(0.5)
                # The host was moved: another server, another session.
                voice.update_voice_server("another token", listening.url)
                assert not voice.connection.is_ready
            assert voice.frames_played == 100
            assert voice.lateness()["max"] == 0  # a pause is no lateness
            sessions = [s for s in listening.server.stats() if s.user_id == MOUTH]
            assert len(sessions) == 2
            assert sum(s.packets_valid for s in sessions) == 105
            assert all(s.packets_bad == {} for s in sessions)

    lib.in_memory(use)


def test_a_call_that_fails_in_mid_play_raises_its_error_bare_everywhere() -> None:
    async def use(listening: Listening, network: Network) -> None:
        raised: list[BaseException] = []

        async def expect(consume: object, *args: object) -> None:
            try:
                await consume(*args)  # type: ignore[operator]
            except VoicekitError as error:
                raised.append(error)

        async def read_frames() -> None:
            async for _ in voice.frames():
                pass

        async with (
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(expect, voice.play, Packets(numbered(1000)))
            nursery.start_soon(expect, read_frames)
            nursery.start_soon(expect, read_frames)
            await lib.sleep(1)
            listening.server.faults.close(4017, lib.current_time())
            listening.drain()
        assert [type(error) for error in raised] == [EncryptionRequired] * 3
        assert len({id(error) for error in raised}) == 3
        assert isinstance(voice.closed, Closed)
        assert voice.closed.policy is ClosePolicy.FATAL

    lib.in_memory(use)


def test_a_kick_ends_the_call_and_leaves_no_stale_state() -> None:
    # users.md item 20: kicked, and still "connected" and "playing".
    voices: dict[int, Voice] = {}

    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            voices[MOUTH] = voice
            async with lib.open_nursery() as nursery:

                async def play() -> None:
                    with pytest.raises(CallClosed):
                        await voice.play(Packets(numbered(1000)))

                nursery.start_soon(play)
                await lib.sleep(1)
                listening.server.faults.kick(lib.current_time(), user_id=MOUTH)
                listening.drain()
            assert voice.connection.is_closed
            assert not voice.connection.is_ready
            assert isinstance(voice.closed, Closed)

    lib.in_memory(use, handle_event=host_of(voices))


def test_a_move_goes_on_in_the_other_channel() -> None:
    voices: dict[int, Voice] = {}

    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            voices[MOUTH] = voice
            async with lib.open_nursery() as nursery:
                nursery.start_soon(voice.play, Packets(numbered(150)))
                await lib.sleep(1.01)  # between two frames: none is on its way
                listening.server.faults.move(777, lib.current_time(), user_id=MOUTH)
                listening.drain()
            assert account(listening).channel_id == 777
            sessions = [s for s in listening.server.stats() if s.user_id == MOUTH]
            assert sum(s.packets_valid for s in sessions) == 155
            ready = [event async for event in _so_far(voice) if isinstance(event, SessionReady)]
            assert len(ready) == 2

    lib.in_memory(use, handle_event=host_of(voices))


@pytest.mark.parametrize("first", ["close", "null endpoint"])
def test_play_waits_for_a_host_that_takes_its_time(first: str) -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(voice.play, Packets(numbered(100)))
            await lib.sleep(1.01)  # between two frames: none is on its way
            if first == "close":
                listening.server.faults.close(4014, lib.current_time())
                listening.drain()
            else:
                voice.update_voice_server("token", None)
            await lib.sleep(5)
            assert voice.frames_played == 51
            voice.update_voice_server("new token", listening.url)
            await lib.sleep(3)
            assert voice.frames_played == 100
            assert voice.stats().drops == {}
        sessions = [s for s in listening.server.stats() if s.user_id == MOUTH]
        assert sum(s.packets_valid for s in sessions) == 105
        assert all(s.packets_bad == {} for s in sessions)

    lib.in_memory(use)


def test_a_session_that_is_gone_asks_the_host_and_never_loops() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            listening.server.faults.close(4006, lib.current_time())
            listening.drain()
            await lib.sleep(5)
            events = [event async for event in _so_far(voice)]
            assert NeedNewSession in map(type, events)
            assert Reconnecting not in map(type, events)
            assert account(listening).state == "ended"
            voice.update_voice_state(None, "old")
            voice.update_voice_state(200, "new session")
            voice.update_voice_server("new token", listening.url)
            with lib.fail_after(5):
                await voice.wait_ready()
            assert account(listening).state == "established"

    lib.in_memory(use)


def test_a_server_that_went_away_is_waited_for() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            voice.update_voice_server("token", None)
            await lib.sleep(1)
            assert WaitingForUpdate in [type(event) async for event in _so_far(voice)]
            voice.update_voice_server("token", listening.url)
            with lib.fail_after(5):
                await voice.wait_ready()

    lib.in_memory(use)


def test_malformed_messages_are_events_and_the_audio_goes_on() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(voice.play, Packets(numbered(50)))
            for message in ("{", b"", "[" * 100_000, "x" * (16 << 20), '{"op": 5}'):
                await lib.sleep(0.1)
                listening.server.faults.raw(message, lib.current_time())
                listening.drain()
            await lib.sleep(3)
            violations = [e async for e in _so_far(voice) if isinstance(e, ProtocolViolation)]
            assert len(violations) == 5
            assert voice.stats().reconnects == 0
        assert account(listening).packets_valid == 55

    lib.in_memory(use)


def test_a_lossy_network_is_counted_alike_on_both_sides() -> None:
    async def use(listening: Listening, network: Network) -> None:
        heard: list[bytes] = []
        async with (
            lib.connect(info(listening.url, EARS), config=LISTENER, network=network) as ears,
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(collect, ears.frames(), heard)
            listening.server.faults.network(Impairment(loss=0.05), lib.current_time())
            packets = numbered(500)
            await mouth.play(Packets(packets))
            await lib.sleep(1)
            (stream,) = ears.stats().streams.values()
            tail = 505 - 1 - _index(heard[-1], packets)
            assert stream.lost + tail == account(listening, EARS).dropped_to
            assert len(heard) + stream.lost + tail == 505
            nursery.cancel_scope.cancel()

    lib.in_memory(use)


async def _so_far(voice: Voice) -> object:
    """Yield the events that have come already."""
    events = voice.events()
    while True:
        with lib.move_on_after(0.001) as patience:
            event = await events.receive()
        if patience.cancelled_caught:
            return
        yield event


def _index(packet: bytes, packets: list[bytes]) -> int:
    return packets.index(packet) if packet in packets else len(packets) + 4


def as_dict(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__struct_fields__}  # type: ignore[attr-defined]
