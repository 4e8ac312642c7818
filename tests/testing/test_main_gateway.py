"""`voicekit.testing.MainGateway` over real WebSockets, without any bot library."""

import json
import zlib
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from voicekit.testing import MainGateway
from voicekit.testing.main.world import Guild, User

TIMEOUT = 5


class Account:
    """A gateway with one bot in one guild, and that bot's side of a login."""

    def __init__(self) -> None:
        self.gateway = MainGateway()
        world = self.gateway.world
        self.bot: User = world.add_bot()
        self.guild: Guild = world.add_guild("guild", self.bot)
        self.channel = world.add_channel(self.guild, "General")
        self.token = world.token_of(self.bot)

    def open(self, compress: str = "") -> ClientConnection:
        query = f"?v=10&encoding=json{compress and '&compress=' + compress}"
        return connect(self.gateway.gateway_url + "/" + query, compression=None, proxy=None)

    def identify(self, websocket: ClientConnection) -> None:
        send(websocket, 2, {"token": self.token, "intents": 1 << 0 | 1 << 7, "properties": {}})


def send(websocket: ClientConnection, op: int, data: Any) -> None:
    websocket.send(json.dumps({"op": op, "d": data}))


def receive(websocket: ClientConnection, name: str) -> Any:
    """Return the data of the next event of that name."""
    while True:
        message = json.loads(websocket.recv(TIMEOUT))
        if message["t"] == name:
            return message["d"]


@pytest.fixture
def account() -> Account:
    return Account()


def test_a_login_a_join_a_cut_and_a_resume(account: Account) -> None:
    with account.gateway:
        with account.open() as websocket:
            account.identify(websocket)
            ready = receive(websocket, "READY")
            assert ready["resume_gateway_url"] == account.gateway.gateway_url
            ids = {"guild_id": str(account.guild.id), "channel_id": str(account.channel.id)}
            send(websocket, 4, ids)
            state = receive(websocket, "VOICE_STATE_UPDATE")
            server = receive(websocket, "VOICE_SERVER_UPDATE")
            assert server["endpoint"].startswith("ws://127.0.0.1:")
            account.gateway.call(lambda core, now: core.drop(now))
            with pytest.raises(ConnectionClosed) as cut:
                websocket.recv(TIMEOUT)
            assert cut.value.rcvd is None
        with account.open() as websocket:
            resume = {"token": account.token, "session_id": ready["session_id"], "seq": 3}
            send(websocket, 6, resume)
            assert receive(websocket, "VOICE_SERVER_UPDATE") == server
            receive(websocket, "RESUMED")
    assert state["user_id"] == str(account.bot.id)


def test_a_compressed_login(account: Account) -> None:
    stream = zlib.decompressobj()
    with account.gateway, account.open("zlib-stream") as websocket:
        account.identify(websocket)
        names = [json.loads(stream.decompress(websocket.recv(TIMEOUT)))["t"] for _ in range(3)]
    assert names == [None, "READY", "GUILD_CREATE"]


@pytest.mark.parametrize(
    ("message", "code"),
    [("nonsense", 4002), (b"\xff\x00", 4002), ('{"op": 77}', 4001), ('{"op": 4, "d": {}}', 4003)],
)
def test_nonsense_closes_its_own_socket_only(
    account: Account, message: str | bytes, code: int
) -> None:
    with account.gateway, account.open() as neighbour, account.open() as websocket:
        assert json.loads(websocket.recv(TIMEOUT))["op"] == 10
        websocket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(TIMEOUT)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
        account.identify(neighbour)
        receive(neighbour, "GUILD_CREATE")


def test_stopping_closes_every_socket_properly(account: Account) -> None:
    with account.gateway, account.open() as websocket:
        account.identify(websocket)
        receive(websocket, "GUILD_CREATE")
        account.gateway.stop()
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(TIMEOUT)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_an_address_that_cannot_be_bound_is_an_error_of_start() -> None:
    gateway = MainGateway(host="192.0.2.1")
    with pytest.raises(OSError, match=r".+"):
        gateway.start()
    gateway.stop()
    assert repr(gateway) == "<MainGateway not running>"


def test_what_a_call_raises_comes_back(account: Account) -> None:
    with account.gateway, pytest.raises(ZeroDivisionError):
        account.gateway.call(lambda core, now: 1 / 0)
