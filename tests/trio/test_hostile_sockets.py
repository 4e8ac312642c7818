"""What strangers do to the server's WebSockets: nothing may stay behind."""

import pytest
import trio
from websockets.trio.client import connect as open_websocket

from tests.independent import rfc6455
from voicekit.server import ServerConfig
from voicekit.trio import Listening

from .calls import in_memory
from .memory_network import MemoryNetwork

UPGRADE = (
    b"GET /?v=8 HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
HEARTBEAT = rfc6455.frame(rfc6455.TEXT, b'{"op":3,"d":{"t":1}}', b"mask")


@pytest.mark.parametrize("reads", [True, False])
def test_floods_of_messages_leave_no_task_behind(reads: bool) -> None:
    async def flood(listening: Listening, network: MemoryNetwork) -> None:
        stream = await network.connect_stream(listening.host, listening.ws_port)
        await stream.send_all(UPGRADE)
        await stream.receive_some()
        # More at once than the server stands, and than the library queues by default.
        await stream.send_all(HEARTBEAT * 1000)
        while reads and await stream.receive_some():
            pass
        await trio.aclose_forcefully(stream)

    async def floods(listening: Listening, network: MemoryNetwork) -> None:
        for _ in range(20):  # trio shuffles its tasks: one flood may or may not do harm
            await flood(listening, network)

    in_memory(floods, ServerConfig(message_burst=20.0))


def test_a_dropped_client_with_messages_in_the_queue_leaves_nothing_behind() -> None:
    # The WebSocket library's reader then waits for its reader, not for the stream.
    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with trio.open_nursery() as nursery:
            stream = await network.connect_stream("127.0.0.1", listening.ws_port)
            dial = open_websocket(f"{listening.url}/?v=8", stream=stream, compression=None)
            client = await dial.connect(nursery)
            await client.send(
                '{"op":0,"d":{"server_id":"1","user_id":"2","session_id":"s","token":"t"}}'
            )
            await trio.sleep(1)
            for _ in range(100):
                client.protocol.send_text(b'{"op":3,"d":{"t":1}}')
            everything = b"".join(client.protocol.data_to_send())
            await stream.send_all(everything)
            listening.server.faults.drop(trio.current_time())
            listening.drain()
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

    in_memory(use)
