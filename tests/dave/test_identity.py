"""A persistent identity key: one format for both backends, and never shown."""

import pytest

from tests.dave.call import Call
from voicekit import Config, VoiceConnection, VoiceServerInfo
from voicekit.dave import DaveMachine, generate_identity, load_backend, public_key
from voicekit.dave.identity import IDENTITY_SIZE, from_jwk, to_jwk

BACKENDS = ["dave.py", "davey"]


def codes_of_a_call(identity: bytes, backend: str, other: bytes) -> tuple[str, str]:
    """Verification codes that 11 and 12 show for each other in a fresh call."""
    call = Call(lambda user_id: backend)
    call.identities = {11: identity, 12: other}
    call.join(11)
    call.join(12)
    call.settle()
    first = call.machines[11].verification_code(12)
    second = call.machines[12].verification_code(11)
    assert first is not None
    assert second is not None
    return first, second


def test_an_identity_is_97_bytes_and_no_two_are_alike() -> None:
    assert len(generate_identity()) == IDENTITY_SIZE == 97
    assert generate_identity() != generate_identity()


def test_the_public_half_is_an_uncompressed_point() -> None:
    identity = generate_identity()
    assert public_key(identity) == identity[32:]
    assert identity[32] == 4


def test_the_form_that_dave_py_loads_is_only_another_form() -> None:
    identity = generate_identity()
    assert from_jwk(to_jwk(identity)) == identity


def test_verification_codes_stay_the_same_from_call_to_call_and_library_to_library() -> None:
    ours, theirs = generate_identity(), generate_identity()
    codes = {codes_of_a_call(ours, backend, theirs) for backend in BACKENDS}
    codes.add(codes_of_a_call(ours, "dave.py", theirs))
    ((first, second),) = codes
    assert first == second


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "identity",
    [
        b"",
        bytes(96),
        bytes(97),
        bytes(32) + b"\4" + bytes(64),
        b"\xff" * 32 + b"\4" + bytes(64),
        b"\1" * 32 + b"\2" + bytes(64),
        bytes(98),
    ],
)
def test_what_is_no_identity_is_refused_without_being_quoted(backend: str, identity: bytes) -> None:
    with pytest.raises(ValueError, match="identity key") as caught:
        load_backend(backend, identity)
    assert identity.hex() not in str(caught.value) or not identity


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_identity_is_in_no_repr(backend: str) -> None:
    identity = generate_identity()
    info = VoiceServerInfo(
        endpoint="ws://192.0.2.1:1", server_id=1, channel_id=2, user_id=3, session_id="s", token="t"
    )
    connection = VoiceConnection(info, config=Config(dave_backend=backend), dave_identity=identity)
    machine = DaveMachine(load_backend(backend, identity))
    shown = f"{connection!r} {machine!r} {machine._backend!r} {connection.stats()!r}"
    for secret in (identity.hex(), repr(identity)[2:-1], to_jwk(identity), str(identity[:32])):
        assert secret not in shown


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_identity_survives_a_group_made_anew(backend: str) -> None:
    call = Call(lambda user_id: backend)
    call.join(11)
    call.join(12)
    call.settle()
    before = call.machines[11].verification_code(12)
    call.delivery.faults.corrupt_commits = 1
    call.join(13)
    call.settle()
    assert sum(machine.counters.recoveries for machine in call.machines.values()) == 1
    assert call.machines[11].verification_code(12) == before
