"""A gateway on a virtual clock, a scripted server in front of it, and a way into every state."""

import json
from random import Random
from typing import Any

from voicekit._gateway import Gateway
from voicekit.codes import Opcode
from voicekit.config import Config
from voicekit.gateway_states import GatewayState
from voicekit.outputs import CloseWebSocket, OpenWebSocket, SendBinary, SendText
from voicekit.server_info import VoiceServerInfo

MODE = "aead_aes256_gcm_rtpsize"
OTHER_MODE = "aead_xchacha20_poly1305_rtpsize"
KEY = list(range(32))
SSRC = 4242
INTERVAL = 10.0  # seconds between heartbeats

INFO = VoiceServerInfo(
    endpoint="voice.example:2048",
    server_id=11,
    channel_id=22,
    user_id=33,
    session_id="the-session-id",
    token="the-token",
)

OUTPUTS = (OpenWebSocket, SendText, SendBinary, CloseWebSocket)

READY = {"ssrc": SSRC, "ip": "192.0.2.7", "port": 50001, "modes": [MODE, OTHER_MODE]}
DESCRIPTION = {"mode": MODE, "secret_key": KEY, "dave_protocol_version": 0}
HELLO = {"heartbeat_interval": INTERVAL * 1000, "v": 8}


class Driver:
    """Calls, then drains; keeps what came out of the last call and of all calls."""

    def __init__(self, info: VoiceServerInfo = INFO, **settings: Any) -> None:
        self.gateway = Gateway(
            info, config=Config(**settings), random=Random(7), max_dave_version=1
        )
        self.now = 100.0
        self.link = 0  # the last that was asked for
        self.new: list[Any] = []  # of the last call
        self.all: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        """Call a mutator of the gateway with the time of now, then drain it."""
        method = getattr(self.gateway, name)
        if not callable(method):
            return method

        def call(*args: Any) -> list[Any]:
            method(*args, self.now)
            return self.drain()

        return call

    def next_timeout(self) -> float | None:
        return self.gateway.next_timeout()

    def drain(self) -> list[Any]:
        self.new = []
        while (item := self.gateway.poll()) is not None:
            self.new.append(item)
            if isinstance(item, OpenWebSocket):
                self.link = item.link
        self.all += self.new
        timeout = self.gateway.next_timeout()
        assert timeout is None or timeout > self.now - 1e-9, "a timer in the past"
        return self.new

    def wait(self, seconds: float) -> list[Any]:
        """Let time pass, timers firing when they are due."""
        end = self.now + seconds
        collected = []
        while (due := self.gateway.next_timeout()) is not None and due <= end:
            self.now = due
            collected += self.handle_timeout()
        self.now = end
        self.new = collected
        return collected

    # -- the server ---------------------------------------------------------------

    def receive(self, op: int, data: object = None, seq: int | None = None) -> list[Any]:
        message: dict[str, object] = {"op": int(op), "d": data}
        if seq is not None:
            message["seq"] = seq
        return self.receive_text(self.link, json.dumps(message))

    def receive_octets(self, seq: int, op: int, payload: bytes = b"") -> list[Any]:
        return self.receive_binary(self.link, seq.to_bytes(2, "big") + bytes((op,)) + payload)

    def closed(self, code: int | None, reason: str = "") -> list[Any]:
        return self.websocket_closed(self.link, code, reason)

    def acknowledge(self) -> list[Any]:
        """ACK the last heartbeat."""
        data = self.sent(Opcode.HEARTBEAT)[-1]
        return self.receive(6, {"t": data["t"]} if isinstance(data, dict) else data)

    # -- what came out ------------------------------------------------------------

    def sent(self, op: int | None = None, items: list[Any] | None = None) -> list[Any]:
        """Return the ``d`` of text messages sent: of ``op``, or of all as (op, d)."""
        texts = [i for i in (self.all if items is None else items) if isinstance(i, SendText)]
        messages = [json.loads(item.text) for item in texts]
        if op is None:
            return [(message["op"], message["d"]) for message in messages]
        return [message["d"] for message in messages if message["op"] == op]

    def events(self, kind: type | None = None) -> list[Any]:
        """Return the events of the last call, or those of ``kind`` ever."""
        if kind is not None:
            return [item for item in self.all if isinstance(item, kind)]
        return [item for item in self.new if not isinstance(item, OUTPUTS)]

    # -- the way ------------------------------------------------------------------

    def open_link(self, hello: bool = True) -> "Driver":
        self.websocket_opened(self.link)
        if hello:
            self.receive(Opcode.HELLO, HELLO)
        return self

    def open_session(self) -> "Driver":
        """From a dialled link to an open session."""
        self.open_link()
        self.receive(Opcode.READY, READY)
        self.select_protocol("203.0.113.9", 6000, MODE)
        self.receive(Opcode.SESSION_DESCRIPTION, DESCRIPTION)
        return self


def reach(state: GatewayState, **settings: Any) -> Driver:
    """Return a driver whose gateway is in ``state``, by the shortest way."""
    driver = Driver(**settings)
    _WAYS[state](driver)
    assert driver.gateway.state is state
    return driver


def _dialling(driver: Driver) -> None:
    driver.start()


def _identifying(driver: Driver) -> None:
    driver.start()
    driver.open_link()


def _selecting(driver: Driver) -> None:
    _identifying(driver)
    driver.receive(Opcode.READY, READY)


def _describing(driver: Driver) -> None:
    _selecting(driver)
    driver.select_protocol("203.0.113.9", 6000, MODE)


def _open(driver: Driver) -> None:
    driver.start()
    driver.open_session()


def _backing_off(driver: Driver) -> None:
    driver.start()
    driver.websocket_failed(driver.link, "refused")


def _resume_backing_off(driver: Driver) -> None:
    _open(driver)
    driver.closed(1006)


def _resume_dialling(driver: Driver) -> None:
    _resume_backing_off(driver)
    driver.wait(0.3)


def _resuming(driver: Driver) -> None:
    _resume_dialling(driver)
    driver.open_link()


def _awaiting_update(driver: Driver) -> None:
    _open(driver)
    driver.closed(4014)


def _awaiting_session(driver: Driver) -> None:
    _open(driver)
    driver.closed(4006)


def _closed(driver: Driver) -> None:
    _open(driver)
    driver.close()


_WAYS = {
    GatewayState.IDLE: lambda driver: None,
    GatewayState.DIALLING: _dialling,
    GatewayState.IDENTIFYING: _identifying,
    GatewayState.SELECTING: _selecting,
    GatewayState.DESCRIBING: _describing,
    GatewayState.OPEN: _open,
    GatewayState.BACKING_OFF: _backing_off,
    GatewayState.RESUME_BACKING_OFF: _resume_backing_off,
    GatewayState.RESUME_DIALLING: _resume_dialling,
    GatewayState.RESUMING: _resuming,
    GatewayState.AWAITING_UPDATE: _awaiting_update,
    GatewayState.AWAITING_SESSION: _awaiting_session,
    GatewayState.CLOSED: _closed,
}
