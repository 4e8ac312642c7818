"""What a host does wrong raises `LocalProtocolError`, says what to do, and changes nothing."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

from voicekit import Config, Gateway, VoiceConnection, VoiceServerInfo
from voicekit.errors import AlreadyConnected, LocalProtocolError, NotConnected
from voicekit.join import Join
from voicekit.testing import Pair

INFO = Pair.info(1)
MEMBERS = {
    "endpoint": "voice.example:2048",
    "server_id": 1,
    "channel_id": 2,
    "user_id": 3,
    "session_id": "session",
    "token": "token",
}


def connection(state: str) -> VoiceConnection:
    made = VoiceConnection(INFO, config=Config(dave=False))
    if state != "new":
        made.start(0.0)
    if state == "closed":
        made.close(1.0)
    while made.poll() is not None:
        pass
    return made


@pytest.mark.parametrize("name", ["server_id", "channel_id", "user_id"])
@pytest.mark.parametrize("value", [None, "123", -1, 1.5, True, 1 << 64])
def test_an_id_that_is_none_is_named_at_once(name: str, value: object) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{name} is"):
        VoiceServerInfo(**(MEMBERS | {name: value}))


@pytest.mark.parametrize("name", ["session_id", "token"])
def test_connecting_before_both_events_came_is_told_apart(name: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"^{name} is text.*voicekit\.Join waits"):
        VoiceServerInfo(**(MEMBERS | {name: None}))


@pytest.mark.parametrize("name", ["guild_id", "channel_id", "user_id"])
def test_a_join_wants_ids_too(name: str) -> None:
    ids: dict[str, Any] = {"guild_id": 1, "channel_id": 2, "user_id": 3}
    with pytest.raises(LocalProtocolError, match=f"^{name} is None"):
        Join(**(ids | {name: None}))


Call = Callable[[VoiceConnection], object]


def update(call: str, *arguments: Any) -> Call:
    return lambda connection: getattr(connection, call)(*arguments, 2.0)


def start(connection: VoiceConnection) -> None:
    connection.start(2.0)


#: In which state, what is raised and said, and the mistake.
MISTAKES: list[tuple[str, type[LocalProtocolError], str, Call]] = [
    ("started", AlreadyConnected, "one connection is for one call", start),
    ("closed", AlreadyConnected, "make another connection", start),
    ("new", LocalProtocolError, "channel_id is an id", update("update_voice_state", "2", "s")),
    ("new", LocalProtocolError, "session_id is text", update("update_voice_state", 2, None)),
    ("new", LocalProtocolError, "token is text", update("update_voice_server", None, "e")),
    ("new", LocalProtocolError, "endpoint is text", update("update_voice_server", "t", 443)),
    ("started", LocalProtocolError, "channel_id is", update("update_voice_state", True, "s")),
    ("closed", LocalProtocolError, "token is text", update("update_voice_server", None, "e")),
]


@pytest.mark.parametrize(("state", "error", "match", "call"), MISTAKES)
def test_a_wrong_call_says_what_to_do_and_changes_nothing(
    state: str, error: type[LocalProtocolError], match: str, call: Call
) -> None:
    made = connection(state)
    before = made.stats(), made.next_timeout(), repr(made)
    with pytest.raises(error, match=match):
        call(made)
    assert (made.stats(), made.next_timeout(), repr(made)) == before
    assert made.poll() is None


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("set_speaking", (1,)),
        ("send", (5, {})),
        ("send_binary", (26, b"")),
        ("select_protocol", ("192.0.2.1", 1, "aead_aes256_gcm_rtpsize")),
        ("renegotiate", ("why not",)),
        ("close_with_code", (4000,)),
    ],
)
@pytest.mark.parametrize(
    ("state", "what_to_do"), [("new", "start first"), ("closed", "make another")]
)
def test_a_gateway_without_a_session_says_how_to_get_one(
    call: str, arguments: tuple[Any, ...], state: str, what_to_do: str
) -> None:
    gateway = Gateway(INFO)
    if state == "closed":
        gateway.start(0.0)
        gateway.close(0.0)
        while gateway.poll() is not None:
            pass
    with pytest.raises(NotConnected, match=what_to_do):
        getattr(gateway, call)(*arguments, 1.0)
    assert gateway.poll() is None


def test_after_close_audio_is_dropped_and_counted_and_input_passed_over() -> None:
    made = connection("closed")
    assert made.send_audio(b"\xfc" + bytes(80), 2.0) is False
    made.receive_text(1, '{"op": 8, "d": {"heartbeat_interval": 1}}', 2.0)
    made.receive_datagram(1, bytes(100), 2.0)
    made.update_voice_server("t", "e", 2.0)
    made.update_voice_state(None, "s", 2.0)
    made.handle_timeout(2.0)
    made.close(2.0)
    assert made.poll() is None
    assert made.stats().drops == {"not_ready": 1, "stale_link": 1}


def test_a_second_thread_is_told_where_it_is_wrong() -> None:
    caught: list[BaseException] = []
    made = connection("started")

    class Data(bytes):
        """Is read in the middle of a call."""

        def __len__(self) -> int:
            def call() -> None:
                try:
                    made.handle_timeout(3.0)
                except BaseException as error:
                    caught.append(error)

            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
            return 10

    made.send_audio(Data(10), 2.0)
    assert [type(error) for error in caught] == [LocalProtocolError]
    assert "from another thread" in str(caught[0])


def test_a_host_that_dies_leaves_no_thread_and_nothing_to_close() -> None:
    threads = set(threading.enumerate())
    pair = Pair(clients=2)
    pair.connect()
    pair.play(pair.clients[0], 10)
    pair.drive(0.1)
    assert set(threading.enumerate()) <= threads
    del pair
    gc.collect()  # an open file or socket would be a ResourceWarning, which is an error here
