"""disgo's parts in real calls on loopback: a connection; its gateway and UDP side, apart too."""

import asyncio
import gc
import io
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from voicekit import Config, Opcode, SpeakingFlags, aio
from voicekit.adapters import disgo
from voicekit.adapters.disgo import udp as module
from voicekit.close_codes import CLOSE_CODES
from voicekit.codes import SILENCE_FRAME
from voicekit.discovery import IpDiscovery, build_reply, parse_request
from voicekit.errors import (
    AlreadyConnected,
    AuthenticationFailed,
    CallClosed,
    ConnectFailed,
    LocalProtocolError,
    NotConnected,
)
from voicekit.events import AudioFrame
from voicekit.gateway_states import GatewayState
from voicekit.media import open_opus_provider
from voicekit.messages import SelectedAddress, SelectProtocol
from voicekit.server import ServerConfig
from voicekit.testing import LoopbackServer

from .discord import Discord

GUILD, CHANNEL, OTHER_CHANNEL, BOT, USER = 1000, 2000, 2001, 1, 2
PATIENCE = 30.0
PACKETS = [b"\xfc" + n.to_bytes(4, "big") + bytes(75) for n in range(12)]
ENCRYPTED = ServerConfig(dave="required", default_channel_id=CHANNEL)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main()

    asyncio.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


class Provider:
    """Gives packets, and says when it is closed."""

    def __init__(self, packets: list[bytes]) -> None:
        self.closed = 0
        self._packets = iter(packets)

    def provide_opus_frame(self) -> bytes | None:
        return next(self._packets, None)

    def close(self) -> None:
        self.closed += 1

    def is_closed(self) -> bool:
        return self.closed > 0


async def next_spoken(frames: AsyncIterator[AudioFrame]) -> AudioFrame:
    """Pass over silence: what is heard where a provider is late."""
    while (frame := await anext(frames)).opus == SILENCE_FRAME:
        pass
    return frame


class Receiver:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, disgo.Packet]] = []
        self.forgotten: list[int] = []
        self.closed = 0

    @property
    def packets(self) -> list[bytes]:
        return [packet.opus for _, packet in self.heard]

    def ended_with(self, last: bytes) -> bool:
        return self.packets[-6:] == [last, *[SILENCE_FRAME] * 5]

    def receive_opus_frame(self, user_id: int, packet: disgo.Packet) -> None:
        self.heard.append((user_id, packet))
        if len(self.heard) == 1:
            raise RuntimeError("the first one is not understood")

    def cleanup_user(self, user_id: int) -> None:
        self.forgotten.append(user_id)

    def close(self) -> None:
        self.closed += 1


class Bot:
    """A manager, and the gateway of its own that it is fed by."""

    def __init__(self, server: LoopbackServer, **settings: Any) -> None:
        self.asked: list[tuple[int, int | None, bool, bool]] = []
        self.manager = disgo.Manager(self.send_op4, BOT, **settings)
        self.discord = Discord(server, BOT, self.deliver)

    async def send_op4(self, guild_id: int, channel_id: int | None, mute: bool, deaf: bool) -> None:
        self.asked.append((guild_id, channel_id, mute, deaf))
        self.discord.take_op4(guild_id, channel_id)

    def deliver(self, name: str, data: dict[str, Any]) -> None:
        if name == "VOICE_STATE_UPDATE":
            self.manager.handle_voice_state_update(data)
        else:
            self.manager.handle_voice_server_update(data)


# -- a whole call --------------------------------------------------------------------------------


def test_frames_go_out_of_a_provider_and_into_a_receiver_end_to_end_encrypted() -> None:
    async def main() -> None:
        with LoopbackServer(ENCRYPTED) as server:
            messages: list[tuple[int, Any]] = []
            bot = Bot(server, event_handler=lambda op, data: messages.append((op, data)))
            conn = bot.manager.create_conn(GUILD)
            provider, receiver = Provider(PACKETS), Receiver()
            conn.set_opus_frame_provider(provider)
            conn.set_opus_frame_receiver(receiver)
            async with aio.connect(server.info(USER)) as user:
                frames = user.frames()
                await conn.open(CHANNEL, self_mute=False, self_deaf=True)
                assert bot.asked == [(GUILD, CHANNEL, False, True)]
                assert (conn.guild_id, conn.channel_id) == (GUILD, CHANNEL)
                said = [await next_spoken(frames) for _ in PACKETS]
                assert [frame.opus for frame in said] == PACKETS
                assert all(frame.e2ee for frame in said)
                assert [(await anext(frames)).opus for _ in range(5)] == [SILENCE_FRAME] * 5
                await user.play(open_opus_provider(Provider(PACKETS).provide_opus_frame))
                await until(lambda: receiver.ended_with(PACKETS[-1]))
                assert conn.user_id_by_ssrc(receiver.heard[0][1].ssrc) == USER
                conn.set_speaking(SpeakingFlags.PRIORITY)
            await until(lambda: receiver.forgotten == [USER])
            await conn.close()
            assert bot.asked[-1][:2] == (GUILD, None)
            assert bot.manager.get_conn(GUILD) is None
            assert (provider.closed, receiver.closed) == (1, 1)
            assert {user_id for user_id, _ in receiver.heard} == {USER}
            assert [packet for packet in receiver.packets if packet != SILENCE_FRAME] == PACKETS
            assert {Opcode.HELLO, Opcode.READY, Opcode.SPEAKING} <= {op for op, _ in messages}
            assert Opcode.SESSION_DESCRIPTION not in {op for op, _ in messages}, "it has the key"

    run(main)


def test_opening_again_moves_and_what_is_played_can_be_changed() -> None:
    async def main() -> None:
        with LoopbackServer() as server:
            bot = Bot(server)
            conn = bot.manager.create_conn(GUILD)
            assert bot.manager.create_conn(GUILD) is conn
            await conn.open(CHANNEL)
            await conn.open(OTHER_CHANNEL)
            assert conn.channel_id == OTHER_CHANNEL
            providers = [Provider(PACKETS), Provider(PACKETS)]
            for provider in providers:
                conn.set_opus_frame_provider(provider)
                await until(provider.is_closed)
            assert conn.gateway.status is disgo.Status.READY
            assert conn.gateway.ssrc == conn.voice.connection.ssrc
            assert conn.gateway.latency is None
            assert conn.udp is conn.udp
            assert conn.udp.write(PACKETS[0]) == len(PACKETS[0])
            async with aio.connect(replace(server.info(USER), channel_id=OTHER_CHANNEL)) as user:
                reading = asyncio.create_task(conn.udp.read_packet())
                await asyncio.sleep(0)
                await user.play(open_opus_provider(Provider(PACKETS).provide_opus_frame))
                assert (await reading).opus == PACKETS[0]
            await bot.manager.close()
            assert conn.channel_id is None
            with pytest.raises(NotConnected, match="open the connection first"):
                conn.gateway.send(5, {})

    run(main)


def test_messages_of_ones_own_and_unknown_ones_pass_as_they_are() -> None:
    async def main() -> None:
        with LoopbackServer() as server:
            messages: list[tuple[int, Any]] = []
            bot = Bot(server)
            conn = bot.manager.create_conn(GUILD)
            conn.set_event_handler(lambda op, data: messages.append((op, data)))
            await conn.open(CHANNEL)
            server.call(lambda core, now: core.faults.say(99, {"new": [1, "two"]}, now))
            await until(lambda: any(op == 99 for op, _ in messages))
            (data,) = (data for op, data in messages if op == 99)
            assert json.loads(data) == {"new": [1, "two"]}
            conn.gateway.send(Opcode.VOICE_BACKEND_VERSION, {})
            conn.gateway.close_with_code(4000, "try again")
            await until(lambda: conn.voice.stats().resumes == 1)
            with pytest.raises(LocalProtocolError, match="op 3 is sent by"):
                conn.gateway.send(Opcode.HEARTBEAT, 1)
            await conn.close()

    run(main)


def test_without_reconnecting_a_loss_ends_the_connection() -> None:
    async def main() -> None:
        with LoopbackServer() as server:
            options = {"config": Config(reconnect=False)}
            bot = Bot(server, options=options)
            conn = bot.manager.create_conn(GUILD)
            await conn.open(CHANNEL)
            server.call(lambda core, now: core.faults.close(4015, now))
            await until(lambda: bot.manager.get_conn(GUILD) is None)
            assert isinstance(conn.error, CallClosed)
            assert conn.error.code == 4015

    run(main)


def test_who_sends_and_receives_and_through_which_sockets_can_be_replaced() -> None:
    async def main() -> None:
        made: list[object] = []
        closed: list[object] = []
        dialled: list[int] = []

        class Carrier:
            def __init__(self, subject: object, voice: aio.Voice) -> None:
                made.append(subject)

            def open(self) -> None:
                made.append("open")

            async def close(self) -> None:
                closed.append(self)

        class Network(aio.Network):
            async def connect_datagrams(self, host: str, port: int) -> Any:
                dialled.append(port)
                return await super().connect_datagrams(host, port)

        with LoopbackServer() as server:
            bot = Bot(
                server,
                audio_sender_create=Carrier,
                audio_receiver_create=Carrier,
                options={"network": Network()},
            )
            conn = bot.manager.create_conn(GUILD)
            provider, receiver = Provider([]), Receiver()
            conn.set_opus_frame_provider(provider)
            conn.set_opus_frame_receiver(receiver)
            await conn.open(CHANNEL)
            await conn.close()
            assert made == [provider, "open", receiver, "open"]
            assert len(closed) == 2
            assert dialled == [server.udp_port]

    run(main)


def test_closing_all_goes_on_where_one_fails() -> None:
    async def main() -> None:
        class Failing(disgo.Conn):
            async def close(self) -> None:
                await super().close()
                raise RuntimeError("failed")

        with LoopbackServer() as server:
            bot = Bot(server, conn_create=Failing)
            seen: list[disgo.Conn] = []
            for guild_id in (GUILD, GUILD + 1):
                await bot.manager.create_conn(guild_id).open(CHANNEL)
            bot.manager.for_each_conn(seen.append)
            with pytest.raises(ExceptionGroup) as failed:
                await bot.manager.close()
            assert len(failed.value.exceptions) == 2
            assert [conn.channel_id for conn in seen] == [None, None]

    run(main)


def test_an_open_that_is_cancelled_leaves_the_channel() -> None:
    async def main() -> None:
        asked: list[Any] = []
        manager = disgo.Manager(lambda *op4: asked.append(op4), BOT)
        conn = manager.create_conn(GUILD)
        opening = asyncio.create_task(conn.open(CHANNEL))
        await until(lambda: asked)
        with pytest.raises(AlreadyConnected, match="asked for already"):
            await conn.open(CHANNEL)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await until(lambda: asked[-1] == (GUILD, None, False, False))
        await conn.close()
        with pytest.raises(NotConnected, match="open the connection first"):
            _ = conn.voice

    run(main)


def test_a_host_that_dies_leaves_the_call_and_no_thread_and_no_socket() -> None:
    before = {thread.name for thread in threading.enumerate()}

    class DiedError(Exception):
        pass

    with LoopbackServer() as server:

        async def main() -> None:
            bot = Bot(server)
            conn = bot.manager.create_conn(GUILD)
            conn.set_opus_frame_provider(Provider(PACKETS * 100))
            conn.set_opus_frame_receiver(Receiver())
            await conn.open(CHANNEL)
            await until(lambda: server.stats()[0].packets_valid > 3)
            raise DiedError

        with pytest.raises(DiedError):
            run(main)
        (session,) = server.stats()
    assert session.packets_bad == {}
    gc.collect()  # an open socket would be a ResourceWarning, which is an error here
    # The pacer of the process has one thread, whoever plays, until the process ends.
    left = {thread.name for thread in threading.enumerate()} - before
    assert {name for name in left if "pacer" not in name} == set()


def test_another_thread_is_told_that_it_is_wrong() -> None:
    async def main() -> None:
        with LoopbackServer() as server:
            bot = Bot(server)
            conn = bot.manager.create_conn(GUILD)
            gateway = disgo.Gateway()
            await conn.open(CHANNEL)
            await gateway.open(server.info(USER))
            for call in (
                lambda: conn.set_speaking(1),
                lambda: conn.gateway.send(5, {}),
                lambda: conn.udp.write(PACKETS[0]),
                lambda: conn.handle_voice_state_update({}),
                lambda: gateway.send(5, {}),
            ):
                with pytest.raises(LocalProtocolError, match="thread"):
                    await asyncio.to_thread(call)
            await gateway.close()
            await conn.close()

    run(main)


# -- the gateway alone ---------------------------------------------------------------------------


def test_a_gateway_goes_alone_as_far_as_its_key() -> None:
    async def main() -> None:
        with LoopbackServer() as server:
            ended: list[Exception | None] = []
            messages: list[int] = []
            gateway = disgo.Gateway(
                lambda op, data: messages.append(op), lambda gateway, error: ended.append(error)
            )
            assert gateway.status is disgo.Status.UNCONNECTED
            with pytest.raises(NotConnected, match="open it first"):
                gateway.send(5, {})
            ready = await gateway.open(server.info(BOT))
            assert gateway.ssrc == ready.ssrc
            with pytest.raises(AlreadyConnected):
                await gateway.open(server.info(BOT))
            udp = disgo.UDPConn()
            address, port = await udp.open(ready.ip, ready.port, ready.ssrc)
            assert (udp.local_addr, udp.remote_addr) == ((address, port), (ready.ip, ready.port))
            mode = ready.modes[0]
            where = SelectedAddress(address, port, mode)
            gateway.send(Opcode.SELECT_PROTOCOL, SelectProtocol(disgo.PROTOCOL_UDP, where))
            await until(lambda: gateway.described)
            assert gateway.described is not None
            udp.set_secret_key(gateway.described.secret_key, mode)
            gateway.send(Opcode.SPEAKING, {"speaking": 1, "delay": 0, "ssrc": ready.ssrc})
            for packet in PACKETS:
                assert udp.write(packet) == len(packet)
            await until(lambda: server.stats()[0].packets_valid == len(PACKETS))
            assert server.stats()[0].packets_bad == {}
            await gateway.close()
            udp.close()
            assert ended == [None]
            assert gateway.status is disgo.Status.DISCONNECTED
            assert Opcode.HELLO in messages

    run(main)


def test_what_a_gateway_dials_by_can_be_replaced() -> None:
    async def main() -> None:
        dialled: list[str] = []

        class Network(aio.Network):
            async def connect_stream(self, protocol: Any, host: str, *where: Any) -> None:
                dialled.append(host)
                await super().connect_stream(protocol, host, *where)

        with LoopbackServer() as server:
            gateway = disgo.Gateway(network=Network())
            await gateway.open(server.info(BOT))
            await gateway.close()
            assert dialled == ["127.0.0.1"]

    run(main)


@pytest.mark.parametrize("code", [4006, 4014, 4015])
def test_a_close_handler_is_told(code: int) -> None:
    async def main() -> None:
        with LoopbackServer() as server:
            ended: list[Exception | None] = []
            gateway = disgo.Gateway(
                close_handler=lambda gateway, error: ended.append(error), auto_reconnect=False
            )
            await gateway.open(server.info(BOT))
            server.call(lambda core, now: core.faults.close(code, now))
            await until(lambda: ended)
            assert isinstance(ended[0], CallClosed)
            assert str(code) in str(ended[0])
            await gateway.close()

    run(main)


def test_a_refused_token_is_raised_by_open() -> None:
    async def main() -> None:
        config = ServerConfig(token="another")
        with LoopbackServer(config) as server, pytest.raises(AuthenticationFailed):
            await disgo.Gateway().open(replace(server.info(BOT), token="wrong"))

    run(main)


# -- UDP alone -----------------------------------------------------------------------------------


def test_packets_are_read_and_deadlines_kept() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.setblocking(False)

            async def answer() -> tuple[str, int]:
                request, address = await loop.sock_recvfrom(server, 2048)
                ssrc = parse_request(request)
                assert ssrc == 7
                await loop.sock_sendto(server, build_reply(ssrc, *address), address)
                return address

            answering = asyncio.create_task(answer())
            ours, there = disgo.UDPConn(), disgo.UDPConn()
            with pytest.raises(NotConnected, match="not open"):
                ours.write(PACKETS[0])
            mine = await ours.open("127.0.0.1", server.getsockname()[1], 7)
            assert mine == (await answering)
            with pytest.raises(NotConnected, match="no key"):
                await ours.read()
            with pytest.raises(AlreadyConnected):
                await ours.open("127.0.0.1", 9, 7)
            ours.set_secret_key(bytes(32))
            there.set_secret_key(bytes(32))
            there._socket, there._ssrc = server, 8
            server.connect(mine)
            server.send(b"noise")
            for packet in PACKETS:
                there.write(packet)
            read = [await ours.read_packet() for _ in PACKETS[1:]]
            assert [packet.opus for packet in read] == PACKETS[:-1]
            assert {packet.ssrc for packet in read} == {8}
            assert (read[1].timestamp - read[0].timestamp) & 0xFFFF_FFFF == 960
            assert (read[1].sequence - read[0].sequence) & 0xFFFF == 1
            assert await ours.read() == PACKETS[-1]
            assert ours.dropped == 1
            ours.set_deadline(loop.time())
            with pytest.raises(TimeoutError):
                await ours.read()
            with pytest.raises(TimeoutError):
                ours.write(PACKETS[0])
            ours.set_deadline(None)
            with pytest.raises(ValueError, match="no Opus"):
                ours.write(b"")
            ours.close()
            ours.close()
            assert ours.local_addr is None

    run(main)


def test_udp_that_is_blocked_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(
            module,
            "IpDiscovery",
            lambda ssrc: IpDiscovery(ssrc, Config(discovery_interval=0.01, discovery_attempts=2)),
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            conn = disgo.UDPConn()
            with pytest.raises(ConnectFailed) as failed:
                await conn.open("127.0.0.1", deaf.getsockname()[1], 7)
            assert failed.value.stage == "udp_discovery"
            assert conn.remote_addr is None

    run(main)


# -- files and tables ----------------------------------------------------------------------------


def test_a_writer_writes_what_a_reader_provides_of_those_who_are_let_through() -> None:
    file = io.BytesIO()
    writer = disgo.OpusWriter(file, lambda user_id: user_id == USER)
    for number, packet in enumerate(PACKETS):
        writer.receive_opus_frame(USER, disgo.Packet(number, 960 * number, 7, packet))
        writer.receive_opus_frame(BOT, disgo.Packet(number, 960 * number, 8, packet))
    writer.cleanup_user(USER)
    writer.close()
    reader = disgo.OpusReader(file.getvalue())
    assert [*iter(reader.provide_opus_frame, None)] == PACKETS
    reader.close()


def test_every_state_has_a_status_and_every_code_a_row() -> None:
    assert {disgo.status_of(state) for state in GatewayState} == set(disgo.Status) - {
        disgo.Status.WAITING_FOR_HELLO,
        disgo.Status.IDENTIFYING,
    }
    by_code = disgo.gateway_close_event_code_by_code
    assert all(by_code(code).code == code for code in CLOSE_CODES)
    assert by_code(4015).reconnects
    assert not by_code(4004).reconnects
    assert by_code(4999).reconnects, "one that nobody knows"
    assert disgo.OPUS_FRAME_SIZE_BYTES == disgo.OPUS_FRAME_SIZE * 4 == 3840
    assert disgo.OPUS_PACKET_HEADER_SIZE == 12
    assert disgo.SILENCE_AUDIO_FRAME == SILENCE_FRAME
