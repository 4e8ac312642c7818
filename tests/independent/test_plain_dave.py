"""The plain server's end-to-end encryption, with libdave in raw clients."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import dave
import pytest

from .ciphers import XCHACHA
from .dave_client import DaveClient, converse, one_group
from .mls import ExternalSender, KeyPackage, Malformed, vec
from .process import PLAIN, ServerProcess
from .raw_client import FRAME, RawClient

ALICE, BOB, CAROL, DAN = 1001, 1002, 1003, 1004
SILENCE = b"\xf8\xff\xfe"

Enter = Callable[..., DaveClient]


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess(command=PLAIN) as process:
        yield process


@pytest.fixture
def enter(server: ServerProcess) -> Iterator[Enter]:
    """A function that lets a user join."""
    with ExitStack() as stack:
        yield lambda user_id: stack.enter_context(DaveClient(server.url, user_id))


def test_two_clients_form_a_group_and_hear_each_other(server: ServerProcess, enter: Enter) -> None:
    alice, bob = enter(ALICE), enter(BOB)
    assert (alice.dave_version, bob.dave_version) == (1, 1)
    converse(lambda: one_group(alice, bob), alice, bob)
    assert alice.failures == bob.failures == 0
    assert bob.ops[: bob.ops.index(25)].count(4) == 1
    assert sorted(alice.numbers) == list(range(1, len(alice.numbers) + 1))
    alice.send(5, {"speaking": 1, "delay": 0, "ssrc": alice.ready["ssrc"]})
    converse(lambda: 5 in bob.ops, alice, bob)
    for frame in (alice.encrypt(), SILENCE):
        alice.play([frame])
        header, plain = bob.hear()
        assert int.from_bytes(header[8:12], "big") == alice.ready["ssrc"]
        assert (bob.decrypt(ALICE, plain) if frame != SILENCE else FRAME) == FRAME
    session = server.session_of(ALICE)
    assert session["dave_version"] == 1
    assert (session["frames_e2ee"], session["frames_silence"], session["frames_clear"]) == (1, 1, 0)
    assert session["packets_bad"] == {}


def test_members_come_and_go(enter: Enter) -> None:
    alice, bob = enter(ALICE), enter(BOB)
    converse(lambda: one_group(alice, bob), alice, bob)
    carol, dan = enter(CAROL), enter(DAN)
    everybody = (alice, bob, carol, dan)
    converse(lambda: one_group(*everybody), *everybody)
    before = alice.authenticator
    bob.send_frame(8, b"\x03\xe8")  # close 1000
    rest = (alice, carol, dan)
    converse(lambda: one_group(*rest) and alice.authenticator != before, *rest)
    assert alice.failures == carol.failures == dan.failures == 0
    assert alice.decrypt(DAN, dan.encrypt()) == FRAME


def test_the_last_one_begins_anew_and_is_joined_again(enter: Enter) -> None:
    alice, bob = enter(ALICE), enter(BOB)
    converse(lambda: one_group(alice, bob), alice, bob)
    bob.send_frame(8, b"\x03\xe8")
    converse(lambda: 24 in alice.ops and 21 in alice.ops, alice)
    assert alice.authenticator is None
    carol = enter(CAROL)
    converse(lambda: one_group(alice, carol), alice, carol)


def test_who_can_not_follow_says_so_and_is_added_again(enter: Enter) -> None:
    alice, bob, carol = enter(ALICE), enter(BOB), enter(CAROL)
    everybody = (alice, bob, carol)
    converse(lambda: one_group(*everybody), *everybody)
    before = alice.authenticator
    carol.send(31, {"transition_id": 1})
    carol.begin()
    converse(lambda: one_group(*everybody) and alice.authenticator != before, *everybody)


def test_a_client_without_dave_brings_the_call_down_and_up_again(
    server: ServerProcess, enter: Enter
) -> None:
    alice, bob = enter(ALICE), enter(BOB)
    pair = (alice, bob)
    converse(lambda: one_group(*pair), *pair)
    with RawClient(server.url, CAROL, version=9) as carol:
        carol.identify()
        carol.describe(XCHACHA)
        assert carol.dave_version == 0
        converse(lambda: all(client.dave_version == 0 for client in pair), *pair)
        carol.leave()
    converse(lambda: one_group(*pair), *pair)
    assert alice.ops.index(24) < len(alice.ops) - alice.ops[::-1].index(25)


def test_plaintext_in_an_encrypted_call_is_bad(server: ServerProcess, enter: Enter) -> None:
    alice, bob = enter(ALICE), enter(BOB)
    converse(lambda: one_group(alice, bob), alice, bob)
    alice.send(5, {"speaking": 1, "delay": 0, "ssrc": alice.ready["ssrc"]})
    grace_ends = time.monotonic() + 0.6  # half a second in which op 22 may be on its way
    converse(lambda: time.monotonic() > grace_ends, alice, bob)
    alice.play([FRAME])
    bob.hear()
    assert server.session_of(ALICE)["packets_bad"] == {"plaintext": 1}


def test_required_and_off() -> None:
    with (
        ServerProcess("--dave", "required", command=PLAIN) as server,
        RawClient(server.url, CAROL, version=9) as carol,
    ):
        carol.expect(8)
        carol.send(0, carol.credentials(user_id=str(CAROL)))
        assert carol.close_code() == 4017
    with (
        ServerProcess("--dave", "off", command=PLAIN) as server,
        DaveClient(server.url, ALICE) as alice,
    ):
        assert alice.dave_version == 0


# -- its MLS ------------------------------------------------------------------------


def test_a_key_package_is_refused_at_every_other_length_and_with_any_change() -> None:
    session = dave.Session(None)
    session.init(1, 1, str(ALICE), dave.SignatureKeyPair.generate(1))
    raw = session.get_marshalled_key_package() or b""
    assert KeyPackage.parse(raw).user_id == ALICE
    wrong = [raw[:length] for length in range(len(raw))] + [raw + b"\0"]
    wrong += [raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :] for at in range(0, len(raw), 7)]
    for data in wrong:
        with pytest.raises(Malformed):
            KeyPackage.parse(data)


def test_vectors_have_the_lengths_of_rfc_9420() -> None:
    assert [vec(bytes(n))[: len(vec(bytes(n))) - n] for n in (0, 63, 64, 16384)] == [
        b"\x00", b"\x3f", b"\x40\x40", b"\x80\x00\x40\x00",
    ]  # fmt: skip


def test_each_sender_has_a_key_of_its_own() -> None:
    assert ExternalSender().announcement != ExternalSender().announcement
