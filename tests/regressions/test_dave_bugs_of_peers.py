"""Bugs that other clients had with DAVE, one test each."""

import json

import pytest

from tests.dave.call import Call
from voicekit import Config
from voicekit.dave import load_backend
from voicekit.outputs import SendBinary
from voicekit.server import ServerConfig
from voicekit.testing import Pair, opus_frame


def pair_of(clients: int, **config: object) -> Pair:
    pair = Pair(clients=clients, config=Config(gateway_version=9, **config), dave=True)  # type: ignore[arg-type]
    pair.connect()
    pair.drive(4.0)
    return pair


def test_op_24_is_dispatched_and_answered_with_a_key_package() -> None:
    """nextcord#1294, discord.http PR#29, Discord.Net#3244: silent after leave and rejoin."""
    pair = pair_of(2)
    (client, _) = pair.clients
    connection, now = client.connection, pair.now
    link = client.wire.client_link if client.wire is not None else 0
    message = {"op": 24, "d": {"protocol_version": 1, "epoch": 1, "transition_id": 0}, "seq": 99}
    connection.receive_text(link, json.dumps(message), now)
    sent = []
    while (item := connection.poll()) is not None:
        if isinstance(item, SendBinary):
            sent.append(item.data[0])
    assert sent == [26]


def test_an_empty_channel_is_no_missing_key() -> None:
    """Discord.Net PR#3244, koe 919be16: MissingKeyRatchet before anybody else is there."""
    pair = pair_of(1)
    pair.play(pair.clients[0], 3)
    pair.drive(1.0)
    assert pair.clients[0].connection.stats().packets_sent == 3


@pytest.mark.parametrize("name", ["dave.py", "davey"])
def test_a_group_that_is_not_complete_has_no_key_and_no_crash(name: str) -> None:
    """koe 1f509c9: GetKeyRatchet is null in an incomplete group."""
    backend = load_backend(name)
    backend.start(1, 4242, 11)
    assert backend.key_package()
    assert backend.send_key() is None
    backend.add_receive_keys(1)
    assert backend.decrypt(12, bytes(30) + b"\xfa\xfa") is None
    backend.drop_receive_keys(2)


@pytest.mark.parametrize("backend", ["dave.py", "davey"])
def test_a_stage_channel_is_not_silent(backend: str) -> None:
    """disgo f4ccacee: ready means "not passthrough", so nothing is ever sent at version 0."""
    pair = Pair(
        clients=2,
        config=Config(gateway_version=9, dave_backend=backend),
        server_config=ServerConfig(dave="off"),
    )
    pair.connect()
    speaker, listener = pair.clients
    pair.play(speaker, 5)
    pair.drive(1.0)
    assert [frame.opus for frame in listener.frames] == [opus_frame(n) for n in range(5)]
    assert not any(frame.e2ee for frame in listener.frames)


@pytest.mark.parametrize("backend", ["dave.py", "davey"])
def test_frames_of_strangers_are_nothing_not_garbage(backend: str) -> None:
    """godave: the copy into the frame of an unknown user goes the wrong way round."""
    call = Call(lambda user_id: backend)
    call.join(11)
    call.join(12)
    call.settle()
    frame = call.machines[11].encrypt(opus_frame())
    assert frame is not None
    assert call.machines[12].decrypt(99, frame, call.now) is None


@pytest.mark.parametrize("backend", ["dave.py", "davey"])
def test_what_is_decrypted_has_no_tail_of_the_ciphertext(backend: str) -> None:
    """songbird 0.6: the shorter plaintext is written over the frame, its end stays."""
    call = Call(lambda user_id: backend)
    call.join(11)
    call.join(12)
    call.settle()
    for size in (4, 5, 60, 1200):
        opus = opus_frame(7, size)
        frame = call.machines[11].encrypt(opus)
        assert frame is not None
        assert call.machines[12].decrypt(11, frame, call.now) == opus


def test_a_new_transport_key_is_used_by_streams_that_exist() -> None:
    """hermes#77968: the key is copied when receiving starts; deaf after the next one."""
    pair = pair_of(2)
    speaker, listener = pair.clients
    pair.play(speaker, 3)
    pair.drive(1.0)
    pair.drop_websocket(listener, 4006)  # the session is gone, the host joins again
    pair.restart(listener)
    pair.drive(5.0)
    pair.play(speaker, 3)
    pair.drive(1.0)
    assert len(listener.frames) == 6
    assert all(frame.e2ee for frame in listener.frames)


def test_frames_are_decrypted_once() -> None:
    """pycord: once as a frame, and again as PCM."""
    call = Call()
    call.join(11)
    call.join(12)
    call.settle()
    seen = []
    machine = call.machines[12]
    open_frame = machine._frames._open
    machine._frames._open = lambda user, frame: seen.append(frame) or open_frame(user, frame)  # type: ignore[func-returns-value]
    frame = call.machines[11].encrypt(opus_frame())
    assert frame is not None
    opus = machine.decrypt(11, frame, call.now)
    assert opus == opus_frame()
    assert seen == [frame]


@pytest.mark.parametrize("backend", ["dave.py", "davey"])
def test_the_identity_is_kept_when_a_group_is_made_anew(backend: str) -> None:
    """libdave.py, disnake: the transient signature key changes with each re-init."""
    call = Call(lambda user_id: backend)
    for user_id in (11, 12, 13):
        call.join(user_id)
        call.settle()
    codes = [call.machines[11].verification_code(user_id) for user_id in (12, 13)]
    call.join(14, max_version=0)  # a downgrade: the group is gone
    call.settle()
    call.leave(14)
    call.settle()
    assert [call.machines[11].verification_code(user_id) for user_id in (12, 13)] == codes


def test_several_transitions_are_pending_at_once() -> None:
    """discord.js#11100, pycord: one variable for the pending transition."""
    pair = Pair(clients=5, config=Config(gateway_version=9), dave=True, websocket_delay=0.01)
    first, second, *others = pair.clients
    pair.connect(first, second)
    pair.drive(3.0)
    pair.server.faults.delivery(
        "delay-execute", 1.5, pair.now, user_id=first.connection.info.user_id
    )
    for other in others:
        pair.start(other)
        pair.drive(0.3)
    pending = first.connection._dave._transitions._pending  # type: ignore[attr-defined]
    assert len(pending) >= 2
    pair.drive(5.0)
    assert not pending
    pair.play(first, 5)
    pair.drive(1.0)
    for other in (second, *others):
        assert [frame.e2ee for frame in other.frames] == [True] * 5
