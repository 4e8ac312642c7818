"""The voice gateway alone: `Gateway`, without a UDP side."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from msgspec.structs import replace

from ... import aio
from ..._gateway import Gateway as Machine
from ...aio.driver import Driver
from ...close_codes import close_error
from ...codes import Opcode
from ...config import Config
from ...connection import VoiceConnection
from ...driver.streams import error_of
from ...errors import AlreadyConnected, NotConnected
from ...events import Closed, MessageReceived, NeedNewSession, WaitingForUpdate
from ...gateway_events import GatewayDescribed, GatewayReady
from ...messages import SelectProtocol
from ...server_info import VoiceServerInfo
from .tables import Status, status_of

__all__ = ["CloseHandler", "EventHandler", "Gateway"]

#: Called with the opcode and what came with it: a struct of `voicekit.messages`, the bytes of a
#: binary message, or for an opcode that nobody knows its JSON as it came.
EventHandler = Callable[[int, Any], object]


def _ignore(*_: object) -> None:
    pass


class _Connection:
    """A gateway in the place of a whole connection: what a driver calls of one."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def start(self, now: float, wall: float) -> None:
        self._machine.start(now)


class Gateway:
    """One connection to a voice gateway. ``auto_reconnect`` False: every loss ends it.

    ``event_handler(op, data)`` is called with each message, in the event loop's thread;
    ``close_handler(gateway, error)`` when it is over, or goes on only in a new session (4006) or on
    another server (4014). A session without a UDP side is never described, so ``config`` had
    better have a long ``connect_timeout`` unless op 1 is sent.
    """

    def __init__(
        self,
        event_handler: EventHandler = _ignore,
        close_handler: "CloseHandler" = _ignore,
        *,
        auto_reconnect: bool = True,
        config: Config | None = None,
        ssl_context: ssl.SSLContext | None = None,
        network: aio.Network | None = None,
    ) -> None:
        self._event_handler = event_handler
        self._close_handler = close_handler
        self._config = replace(config or Config(), reconnect=auto_reconnect, report_messages=True)
        self._ssl_context = ssl_context
        self._network = network or aio.Network()
        self._machine: Machine | None = None
        self._driver: Driver | None = None
        self._ready: asyncio.Future[GatewayReady]
        #: What op 2 has said; None before.
        self.ready: GatewayReady | None = None
        #: What op 4 has said, with the key; None before.
        self.described: GatewayDescribed | None = None

    @property
    def ssrc(self) -> int | None:
        """Our SSRC; None without a session."""
        return None if self._machine is None else self._machine.ssrc

    @property
    def latency(self) -> float | None:
        """The last heartbeat's round trip, in seconds; None until known."""
        return None if self._machine is None else self._machine.latency

    @property
    def status(self) -> Status:
        """Where it stands."""
        return Status.UNCONNECTED if self._machine is None else status_of(self._machine.state)

    async def open(self, state: VoiceServerInfo) -> GatewayReady:
        """Connect, identify, and return op 2. Raises what it ended with instead."""
        if self._driver is not None:
            raise AlreadyConnected("open: the gateway is connected already, close it first")
        self._machine = Machine(state, config=self._config)
        connection = cast(VoiceConnection, _Connection(self._machine))
        self._ready = asyncio.get_running_loop().create_future()
        self._driver = Driver(
            connection, self._network, self._ssl_context, self._handle_event, _ignore
        )
        self._driver.begin()
        try:
            return await self._ready
        except BaseException:
            await self.close()
            raise

    def send(self, op: int, data: object) -> None:
        """Send a message: a struct of `voicekit.messages`, or JSON. Op 1 selects the protocol.

        Raises `NotConnected` without a session, `LocalProtocolError` for ops 0, 3 and 7, which the
        gateway sends by itself.
        """
        machine, driver = self._require("send")
        if op == Opcode.SELECT_PROTOCOL and isinstance(data, SelectProtocol):
            where = data.data
            driver.call(machine.select_protocol, where.address, where.port, where.mode)
        else:
            driver.call(machine.send, op, data)

    async def close(self) -> None:
        """Close with 1000, within a second. Idempotent; it may be opened again."""
        if self._driver is not None and self._machine is not None:
            driver, self._driver = self._driver, None
            driver.call(self._machine.close)
            await driver.wait_all_closed(driver.loop.now() + 1.0)
            await driver.close()

    def close_with_code(self, code: int, message: str = "") -> None:
        """Close the WebSocket with ``code``: 4000, say, makes it resume, 1000 and 1001 end it.

        ``message`` is for the caller's reader: servers make nothing of it.
        """
        machine, driver = self._require("close_with_code")
        driver.call(machine.close_with_code, code)

    def _require(self, call: str) -> tuple[Machine, Driver]:
        if self._machine is None or self._driver is None:
            raise NotConnected(f"{call}: the gateway is not connected, open it first")
        return self._machine, self._driver

    def _handle_event(self, event: object) -> None:
        match event:
            case MessageReceived(op, data, raw):
                self._event_handler(op, raw if data is None else data)
            case GatewayReady():
                self.ready = event
                if not self._ready.done():
                    self._ready.set_result(event)
            case GatewayDescribed():
                self.described = event
            case Closed():
                self._end(error_of(event) if event.error is not None else None)
            case NeedNewSession(code) | WaitingForUpdate(code):
                self._end(close_error(code))

    def _end(self, error: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_exception(error or NotConnected("the gateway was closed"))
        self._close_handler(self, error)


#: Called with the gateway and what it ended with; None: we closed it.
CloseHandler = Callable[[Gateway, Exception | None], object]
