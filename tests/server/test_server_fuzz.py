"""Whatever comes, the server does not raise, does not grow, and does not hurt the others."""

import json
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.world import OPUS, World
from voicekit.server import (
    CloseWebSocket,
    DropWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
    ServerConfig,
    VoiceServer,
)

ADDRESSES = [("192.0.2.1", 1000 + n) for n in range(3)] + [("2001:db8::1", 9)]

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
ids = st.integers(0, 3) | st.integers() | st.sampled_from(["1", "2", "x", ""])
plausible = st.fixed_dictionaries(
    {},
    optional={
        "server_id": ids,
        "user_id": ids,
        "channel_id": ids,
        "session_id": st.sampled_from(["a", "b"]),
        "token": st.sampled_from(["t", "u"]),
        "protocol": st.sampled_from(["udp", "webrtc"]),
        "data": st.fixed_dictionaries(
            {
                "address": st.sampled_from(["192.0.2.1", "::1", "nowhere", ""]),
                "port": st.integers(999, 1003),
                "mode": st.sampled_from(["aead_xchacha20_poly1305_rtpsize", "plain"]),
            }
        ),
        "speaking": st.integers(-1, 8),
        "ssrc": st.integers(0, 2**32),
        "seq_ack": st.integers(-2, 70_000),
        "t": st.integers(),
        "delay": st.integers(),
    },
)
messages = st.builds(
    lambda op, data: json.dumps({"op": op, "d": data}),
    st.sampled_from([0, 0, 1, 1, 3, 5, 7, 7]) | st.integers(-1, 300),
    plausible | values,
)
datagrams = st.binary(max_size=120) | st.builds(
    lambda head, body: head + body,
    st.sampled_from([b"\x80\x78", b"\x90\x78", b"\x80\xc8", b"\0\1\0\x46", b"\x13\x37\xca\xfe"]),
    st.binary(max_size=100),
)
actions = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(["/?v=8", "/?v=4", "/?v=9", "/", "/?v=x"])),
    st.tuples(st.just("text"), messages | st.text(max_size=20)),
    st.tuples(st.just("text"), messages),
    st.tuples(st.just("text"), messages),
    st.tuples(st.just("binary"), st.binary(max_size=20)),
    st.tuples(st.just("close"), st.sampled_from([None, 1000, 1006, 4000])),
    st.tuples(st.just("datagram"), datagrams),
    st.tuples(st.just("time"), st.floats(0, 30)),
    st.tuples(st.just("fault"), st.sampled_from(["close", "drop", "kick", "move", "reorder"])),
)


FAULTS = {
    "close": lambda faults, now: faults.close(4015, now),
    "drop": lambda faults, now: faults.drop(now),
    "kick": lambda faults, now: faults.kick(now),
    "move": lambda faults, now: faults.move(3, now),
    "reorder": lambda faults, now: faults.reorder(2, now),
}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), actions), max_size=60))
def test_random_input_never_raises(script: list[tuple[int, tuple[str, object]]]) -> None:
    server = VoiceServer(ServerConfig(resume_window=20.0), random=Random(1))
    server.set_udp_address("127.0.0.1", 1)
    now = 0.0
    server.start(now)
    links: dict[int, int] = {}  # slot: link
    opened = 0
    for slot, (action, value) in script:
        link = links.get(slot, -1)
        if action == "open":
            opened += 1
            links[slot] = opened
            server.websocket_opened(opened, str(value), now)
        elif action == "text":
            server.receive_text(link, str(value), now)
        elif action == "binary":
            server.receive_binary(link, bytes(value), now)  # type: ignore[call-overload]
        elif action == "close":
            server.websocket_closed(link, value, now)  # type: ignore[arg-type]
        elif action == "datagram":
            server.receive_datagram(value, ADDRESSES[slot], now)  # type: ignore[arg-type]
        elif action == "fault":
            FAULTS[str(value)](server.faults, now)
        else:
            now += float(value)  # type: ignore[arg-type]
            for _ in range(50):
                due = server.next_timeout()
                if due is None or due > now:
                    break
                server.handle_timeout(now)
            else:
                raise AssertionError("a timer spins")
        outputs = 0
        while (output := server.poll()) is not None:
            outputs += 1
            assert outputs < 500
            match output:
                case SendText(_, text):
                    assert "op" in json.loads(text)
                case SendDatagram(_, data):
                    assert len(data) <= 200
                case SendBinary() | CloseWebSocket() | DropWebSocket():
                    pass
        check(server)
    server.stop(now)
    while server.poll() is not None:
        pass
    check(server)
    board = server._board
    tables = (board.sockets, board.sessions, board.rooms, board.by_ssrc, board.by_address)
    assert [len(table) for table in tables] == [0] * 5
    assert board.by_identity == {}
    assert server.next_timeout() is None


def check(server: VoiceServer) -> None:
    """The tables agree with each other."""
    board = server._board
    sessions = list(board.sessions.values())
    assert {s.ssrc: s for s in sessions} == board.by_ssrc
    assert {s.address: s for s in sessions if s.address} == board.by_address
    assert sorted(s.user_id for ss in board.by_identity.values() for s in ss) == sorted(
        s.user_id for s in sessions
    )
    assert sum(len(room.members) for room in board.rooms) == len(sessions)
    assert all(room.members for room in board.rooms)
    attached = [s for s in sessions if s.socket is not None]
    assert board.strangers == len(board.sockets) - len(attached)
    for session in attached:
        assert session.socket is board.sockets[session.socket.link]
        assert session.socket.session is session
    due = server.next_timeout()
    assert due is None or due >= 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fine", "flip", "cut", "again", "stretch"]),
            st.integers(0, 2**16),
            st.integers(0, 255),
        ),
        max_size=40,
    )
)
def test_sealed_packets_altered_in_any_way(script: list[tuple[str, int, int]]) -> None:
    world = World()
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    fine = 0
    for how, at, value in script:
        packet = bytearray(talker.seal(padding=value % 3, csrcs=range(value % 4)))
        if how == "flip":
            packet[at % len(packet)] ^= value
            fine += value == 0
        elif how == "cut":
            del packet[at % len(packet) :]
        elif how == "stretch":
            packet[at % len(packet) : at % len(packet)] = bytes(1 + value)
        else:
            fine += 1
        for _ in range(1 + (how == "again")):
            talker.datagram(bytes(packet))
        world.run(0.02)
    stats, server = talker.stats, world.server.server_stats()
    assert stats.packets_valid == fine == len(listener.heard())
    counted = sum(stats.packets_bad.values()) + sum(server.datagrams_dropped.values())
    again = sum(how == "again" for how, *_ in script)
    # A packet cut short may look like a keepalive.
    assert stats.packets_valid + counted + stats.keepalives == len(script) + again


def test_garbage_beside_a_call_leaves_it_unharmed_and_memory_flat() -> None:
    """Ten simulated minutes of noise on both sockets; the nightly soak does it for real."""
    random = Random(7)
    world = World()
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.datagrams.clear()
    sizes = []
    heard = 0
    for second in range(600):
        for _ in range(5):
            noise = random.randbytes(random.randrange(200))
            head = random.choice([b"", b"\x80\x78", b"\x80\xc9", b"\0\1\0\x46"])
            address = ("198.51.100.1", random.randrange(1, 60_000))
            world.datagram(head + noise, address)
            world.datagram(b"\x80\x78" + noise[:6].ljust(6) + talker.ssrc.to_bytes(4, "big"))
            stranger = world.peer(user_id=3)
            stranger.connect(random.choice(["/?v=8", "/", "/?v=99"]))
            if stranger.closed is None:
                stranger.text(random.choice(["{", '{"op":9}', '{"op":1,"d":{}}', "[" * 999]))
            del world.by_address[stranger.address]
        talker.play(2)
        heard += len(listener.heard())
        for peer in (talker, listener):
            peer.send(3, {"t": second, "seq_ack": peer.seq})
            peer.messages.clear()
        world.run(0.98)
        talker.timestamp += 47 * 960
        board = world.server._board
        sizes.append(
            len(board.sockets) + len(board.timers._heap) + len(board.by_address)
            + len(board.datagrams_dropped) + len(board.messages_bad) + len(board.outputs)
        )  # fmt: skip
    assert heard == 1200
    assert talker.stats.packets_valid == 1200
    assert talker.stats.packets_bad == listener.stats.packets_bad == {}
    assert talker.closed is listener.closed is None
    assert max(sizes[300:]) <= max(sizes[:300])
    assert world.server.server_stats().sessions == 2


def test_buffers_are_only_borrowed() -> None:
    world = World()
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    data = bytearray(talker.seal())
    world.server.receive_datagram(data, talker.address, world.now)  # held: no op 5 yet
    data[:] = bytes(len(data))
    talker.speak()
    [packet] = listener.heard()
    assert packet.payload == OPUS
    message = bytearray(b"\x1a\1\2\3")
    world.server.receive_binary(talker.link, memoryview(message), world.now)
    message[:] = bytes(4)
    assert talker.closed is None
