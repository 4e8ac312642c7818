"""Hold and retry: frames whose sender has the next key before we do."""

import pytest

from tests.session.peers import ALICE, ALICES, BOB, BOBS, Server, drain, ready_session, voice
from voicekit._frame import AudioFrame
from voicekit.dave import Passthrough

MARKER = b"\xfa\xfa"


class OneKey(Passthrough):
    """Opens what the keys it was given fit."""

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.gave_up = False

    def decrypt(self, user_id: int, frame: bytes, now: float, /) -> bytes | None:
        opus, _, rest = frame.partition(b"|")
        return opus if rest[:1] in self.keys else None

    def awaits_key(self, frame: bytes, /) -> bool:
        return frame.endswith(MARKER) and not self.gave_up


def sealed(number: int, key: bytes = b"a") -> bytes:
    return voice(number) + b"|" + key + MARKER


@pytest.fixture
def dave() -> OneKey:
    return OneKey()


@pytest.fixture
def session(dave: OneKey):  # type: ignore[no-untyped-def]
    session = ready_session(dave=dave)
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.map_ssrc(BOBS, BOB, 0.0)
    return session


def numbers(items: list[object]) -> list[int]:
    return [int.from_bytes(i.opus[1:5], "big") for i in items if isinstance(i, AudioFrame)]


def test_frames_wait_for_their_key_and_come_in_order(session, dave) -> None:  # type: ignore[no-untyped-def]
    server = Server()
    for number in range(5):
        now = number * 0.02
        assert session.receive(server.packet(ALICES, number, sealed(number)), now) is None
    assert drain(session) == []
    dave.keys.add(b"a")
    session.retry(0.1)
    assert numbers(drain(session)) == [0, 1, 2, 3, 4]
    stats = session.stream_stats()[ALICES]
    assert (stats.awaited_key, stats.undecryptable) == (5, 0)


def test_a_key_that_comes_too_late_opens_nothing(session, dave) -> None:  # type: ignore[no-untyped-def]
    server = Server()
    session.receive(server.packet(ALICES, 1, sealed(1)), 0.0)
    session.receive(server.packet(ALICES, 2, sealed(2)), 0.1)
    assert session.next_timeout() == pytest.approx(0.2)
    session.handle_timeout(0.2)
    dave.keys.add(b"a")
    session.retry(0.25)
    assert numbers(drain(session)) == [2]
    assert session.drops == {"undecryptable": 1}
    assert session.stream_stats()[ALICES].undecryptable == 1


def test_frames_wait_on_where_the_new_key_is_another(session, dave) -> None:  # type: ignore[no-untyped-def]
    server = Server()
    session.receive(server.packet(ALICES, 1, sealed(1, b"a")), 0.0)
    session.receive(server.packet(BOBS, 2, sealed(2, b"b")), 0.0)
    dave.keys.add(b"b")
    session.retry(0.1)
    assert numbers(drain(session)) == [2]
    dave.keys.add(b"a")
    session.retry(0.15)
    assert numbers(drain(session)) == [1]


def test_who_leaves_takes_what_waits_along(session, dave) -> None:  # type: ignore[no-untyped-def]
    session.receive(Server().packet(ALICES, 1, sealed(1)), 0.0)
    session.remove_user(ALICE, 0.1)
    dave.keys.add(b"a")
    session.retry(0.1)
    assert numbers(drain(session)) == []
    assert session.drops == {"undecryptable": 1}


def test_without_hope_nothing_waits(session, dave) -> None:  # type: ignore[no-untyped-def]
    dave.gave_up = True
    session.receive(Server().packet(ALICES, 1, sealed(1)), 0.0)
    assert session.drops == {"undecryptable": 1}


def test_holding_can_be_switched_off(dave: OneKey) -> None:
    session = ready_session(dave=dave, key_hold_time=0.0)
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.receive(Server().packet(ALICES, 1, sealed(1)), 0.0)
    assert session.drops == {"undecryptable": 1}


def test_what_waits_has_a_limit_in_bytes(dave: OneKey) -> None:
    session = ready_session(dave=dave, hold_bytes=1000)
    session.map_ssrc(ALICES, ALICE, 0.0)
    server = Server()
    for number in range(100):
        session.receive(server.packet(ALICES, number, sealed(number)), 0.0)
    stats = session.stream_stats()[ALICES]
    assert stats.awaited_key + stats.undecryptable == 100
    assert stats.awaited_key < 30
