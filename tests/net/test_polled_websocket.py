"""A WebSocket for loops without tasks, against a real server and against what is none."""

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from websockets.sync.server import ServerConnection, serve

from voicekit.driver.polled_websocket import PolledWebSocket
from voicekit.errors import ConnectFailed
from voicekit.outputs import CloseWebSocket, SendBinary, SendText

from ..independent.certificates import Certificates, write_certificates

PATIENCE = 30.0

Handle = Callable[[ServerConnection], None]


class Server:
    """A WebSocket server in a thread: each connection is handled by the test's function."""

    def __init__(self, handle: Handle, context: ssl.SSLContext | None = None) -> None:
        self._server = serve(handle, "127.0.0.1", 0, ssl=context, compression=None)
        scheme = "ws" if context is None else "wss"
        self.url = f"{scheme}://127.0.0.1:{self._server.socket.getsockname()[1]}/?v=8"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)


def take(websocket: PolledWebSocket, count: int) -> list[str | bytes]:
    """Read messages as a loop does, until there are that many or the end."""
    found: list[str | bytes] = []
    end = time.monotonic() + PATIENCE
    found += websocket.messages()  # first: they and the end may have come with the upgrade
    while len(found) < count and not websocket.is_over and time.monotonic() < end:
        select.select([websocket], [], [], 0.5)
        found += websocket.messages()
    return found


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_messages_go_both_ways_in_their_order(certificates: Certificates, secure: bool) -> None:
    context = certificates.server_context() if secure else None
    client = certificates.client_context() if secure else None
    with (
        Server(echo, context) as server,
        closing(PolledWebSocket(server.url, ssl_context=client)) as websocket,
    ):
        sent: list[str | bytes] = ["one", b"two", "x" * 100_000, b""]
        for message in sent:
            websocket.send(message)
        assert take(websocket, 4) == sent
        assert [*websocket.messages()] == [], "reading does not wait"
        websocket.perform(SendText(1, "three"))
        websocket.perform(SendBinary(1, b"four"))
        assert take(websocket, 2) == ["three", b"four"]
        websocket.perform(CloseWebSocket(1, 1000))
        assert take(websocket, 1) == []
        assert websocket.is_over


def test_what_comes_with_the_answer_to_the_upgrade_is_there_at_once() -> None:
    said = threading.Event()

    def greet(connection: ServerConnection) -> None:
        connection.send("hello")
        said.set()
        echo(connection)

    with Server(greet) as server, closing(PolledWebSocket(server.url)) as websocket:
        assert said.wait(PATIENCE)
        assert take(websocket, 1) == ["hello"]
        websocket.send_close()
        take(websocket, 1)


def test_fragments_are_one_message() -> None:
    def send_in_pieces(connection: ServerConnection) -> None:
        connection.send(piece for piece in ("in ", "three ", "pieces"))
        echo(connection)

    with Server(send_in_pieces) as server, closing(PolledWebSocket(server.url)) as websocket:
        assert take(websocket, 1) == ["in three pieces"]
        websocket.send_close()
        take(websocket, 1)


def test_the_servers_close_code_is_known_after_its_last_message() -> None:
    def close(connection: ServerConnection) -> None:
        connection.send("last")
        connection.close(4006, "session gone")

    with Server(close) as server, closing(PolledWebSocket(server.url)) as websocket:
        assert take(websocket, 2) == ["last"]
        assert websocket.ending == (4006, "session gone")
        websocket.send("nobody hears it")
        assert [*websocket.messages()] == []


@pytest.mark.parametrize("gently", [True, False], ids=["closed", "reset"])
def test_a_connection_that_is_lost_has_no_code(gently: bool) -> None:
    def drop(connection: ServerConnection) -> None:
        if not gently:
            linger = struct.pack("ii", 1, 0)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.socket.close() if not gently else connection.close_socket()

    with Server(drop) as server:
        try:
            websocket = PolledWebSocket(server.url)
        except ConnectFailed:
            assert not gently  # reset before the upgrade was read
            return
        with closing(websocket):
            assert take(websocket, 1) == []
            assert websocket.ending == (None, "")


def test_what_can_not_be_dialled_says_why(certificates: Certificates) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(ConnectFailed, match="refused"):
            PolledWebSocket(f"ws://127.0.0.1:{port}/")
    with pytest.raises(ConnectFailed):
        PolledWebSocket("http://127.0.0.1/")
    with Server(echo, certificates.server_context()) as server:
        with pytest.raises(ConnectFailed, match="not trusted"):
            PolledWebSocket(server.url)
        with pytest.raises(ConnectFailed):
            PolledWebSocket(server.url.replace("wss:", "ws:"))


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"\0" * 64]
)
def test_a_server_of_something_else_is_no_voice_server(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def respond() -> None:
            peer = listener.accept()[0]
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

        thread = threading.Thread(target=respond)
        thread.start()
        with pytest.raises(ConnectFailed):
            PolledWebSocket(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join(PATIENCE)
