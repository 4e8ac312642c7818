"""What strangers do to the server's WebSockets: nothing may stay behind."""

import pytest
import trio

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
