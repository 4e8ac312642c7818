"""The client's end of a WebSocket without I/O: bytes on one side, whole messages on the other.

The connections that `websockets` has for event loops run tasks of their own for each
WebSocket, with queues between those and the reader. A process with thousands of calls has no
use for them.
"""

import logging

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import USER_AGENT
from websockets.protocol import State
from websockets.uri import WebSocketURI

__all__ = [
    "CLOSE_TIMEOUT",
    "LOGGER",
    "MAX_BACKLOG",
    "SEND_TIMEOUT",
    "WebMessages",
    "client_protocol",
]

#: At level DEBUG websockets logs whole messages, and they hold tokens. A level of its own
#: keeps a program's ``basicConfig(level=DEBUG)`` from turning that on.
LOGGER = logging.getLogger("voicekit.websocket")
LOGGER.setLevel(logging.INFO)
#: Where logging is not configured, errors would end up on stderr, with tracebacks: one for
#: every stranger that fails at the opening handshake.
LOGGER.addHandler(logging.NullHandler())

#: Above `Config.max_message_size`, which is a counted violation; this is only about memory.
MAX_MESSAGE = 1 << 25

#: Messages that wait to be sent. A session has a few dozen in all; a peer that lets this
#: many pile up is not reading.
MAX_BACKLOG = 256
#: A single message that does not leave within this long (seconds) meets a dead peer.
SEND_TIMEOUT = 10.0
#: For the closing handshake; after it the socket is closed without.
CLOSE_TIMEOUT = 1.0


def client_protocol(where: WebSocketURI) -> ClientProtocol:
    """Return the protocol of `websockets` for a client of ``where``."""
    return ClientProtocol(where, max_size=MAX_MESSAGE, logger=LOGGER)


class WebMessages:
    """What became of the bytes of one WebSocket. After each call, send `data_to_send`."""

    def __init__(self, protocol: ClientProtocol) -> None:
        self._protocol = protocol
        self._frames: list[Frame] = []  # of the message under way
        self._messages: list[str | bytes] = []
        self._closed_by_us = False

    def data_to_send(self) -> bytes:
        """Return what is to be sent now, or nothing."""
        return b"".join(self._protocol.data_to_send())

    # -- the upgrade -------------------------------------------------------------------

    def request(self) -> None:
        """Ask for the upgrade of an HTTP connection."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        self._protocol.send_request(request)

    @property
    def is_upgrading(self) -> bool:
        """Whether there is no answer yet."""
        protocol = self._protocol
        return protocol.state is State.CONNECTING and protocol.handshake_exc is None

    @property
    def refusal(self) -> Exception | None:
        """Why the server does not speak WebSocket with us."""
        return self._protocol.handshake_exc

    # -- messages ----------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent. They come for longer, where we close."""
        return self._protocol.state is State.OPEN

    @property
    def is_over(self) -> bool:
        """Whether the server has closed, or has broken the protocol: nothing more will come.

        A server that answers our own close is done with it when it closes the stream.
        """
        return not self.is_open and not self._closed_by_us

    def receive_data(self, data: bytes | bytearray) -> None:
        """Take what came; `receive_eof` says that it was the last."""
        self._protocol.receive_data(data)
        self._take_events()

    def receive_eof(self) -> None:
        """Take note that the stream has ended. Idempotent."""
        self._protocol.receive_eof()
        self._take_events()

    def next_message(self) -> str | bytes | None:
        """Return the next message that came; None: there is none."""
        return self._messages.pop(0) if self._messages else None

    def send(self, message: str | bytes) -> None:
        """Send a message; nothing, when it is being closed."""
        if self.is_open:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say that we close."""
        if self.is_open:
            self._closed_by_us = True
            self._protocol.send_close(code, reason)

    @property
    def ending(self) -> tuple[int | None, str]:
        """The server's close code and reason; code None: it went without."""
        received = self._protocol.close_rcvd
        return (None, "") if received is None else (received.code, received.reason)

    # -- inside ------------------------------------------------------------------------

    def _take_events(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._frames.append(event)
                if event.fin:
                    self._finish_message()

    def _finish_message(self) -> None:
        frames, self._frames = self._frames, []
        data = b"".join(bytes(frame.data) for frame in frames)
        if frames[0].opcode is Opcode.BINARY:
            self._messages.append(data)
            return
        try:
            self._messages.append(data.decode())
        except UnicodeDecodeError:
            self._protocol.fail(CloseCode.INVALID_DATA, "this is not UTF-8")


_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
