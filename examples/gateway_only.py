"""`Gateway` alone: who is in a voice channel? No UDP, no audio.

Run: ``python examples/gateway_only.py ENDPOINT SECONDS`` against ``voicekit serve``.
"""

import sys
import time
from contextlib import ExitStack

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from voicekit import Config, Gateway, VoiceServerInfo
from voicekit.events import Closed, UserJoined, UserLeft
from voicekit.outputs import CloseWebSocket, OpenWebSocket, SendBinary, SendText


def watch(endpoint: str, seconds: float) -> list[str]:
    """Join, listen for a while, leave; return what happened."""
    with ExitStack() as websockets:
        return _watch(endpoint, seconds, websockets)


def _watch(endpoint: str, seconds: float, websockets: ExitStack) -> list[str]:
    info = VoiceServerInfo(
        endpoint=endpoint, server_id=1, channel_id=2, user_id=3, session_id="s", token="t"
    )
    happened: list[str] = []
    # Without UDP the handshake never ends: keep its deadline out of the way.
    gateway = Gateway(info, config=Config(connect_timeout=seconds + 30))
    websocket: ClientConnection | None = None
    link = 0
    clock = time.monotonic
    end = clock() + seconds
    gateway.start(clock())
    while True:
        while (item := gateway.poll()) is not None:
            match item:
                case OpenWebSocket(link, url):
                    # As the outputs ask: no compression, no pings of the library's own.
                    dialled = connect(url, compression=None, ping_interval=None)
                    websocket = websockets.enter_context(dialled)
                    gateway.websocket_opened(link, clock())
                case SendText(_, message) | SendBinary(_, message) if websocket is not None:
                    websocket.send(message)
                case CloseWebSocket(_, code) if websocket is not None:
                    websocket.close(code)
                case UserJoined(user_id) | UserLeft(user_id):
                    happened.append(f"{type(item).__name__} {user_id}")
                case Closed(_, _, why):
                    happened.append(f"Closed: {why}")
                    return happened
        now = clock()
        if now >= end:
            gateway.close(now)
            continue
        due = min(gateway.next_timeout() or end, end)
        assert websocket is not None
        try:
            message = websocket.recv(timeout=max(0.0, due - now))
        except TimeoutError:
            gateway.handle_timeout(clock())
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd is not None else None
            gateway.websocket_closed(link, code, "", clock())
        else:
            if isinstance(message, str):
                gateway.receive_text(link, message, clock())
            else:
                gateway.receive_binary(link, message, clock())


if __name__ == "__main__":
    print("\n".join(watch(sys.argv[1], float(sys.argv[2]))))
