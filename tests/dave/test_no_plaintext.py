"""A server that wants to hear us tries everything but an announced downgrade."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dave.call import Call
from tests.dave.fake_backend import CHANNEL, EXTERNAL_SENDER, ME, OTHER_SENDER, commit, welcome
from tests.dave.machines import COMMIT, OPUS, PROPOSALS, SENDER, WELCOME, Bench
from voicekit.codes import SILENCE_FRAME, Opcode
from voicekit.messages import DaveExecuteTransition, DavePrepareEpoch, DavePrepareTransition

SECRET = b"\xfc what nobody else may hear, not a byte of it"


@pytest.fixture(params=["dave.py", "davey"])
def call(request: pytest.FixtureRequest) -> Call:
    call = Call(lambda user_id: request.param)
    for user_id in (11, 12, 13):
        call.join(user_id)
        call.settle()
    call.assert_everybody_hears_everybody()
    return call


def assert_nothing_is_heard(call: Call) -> None:
    for machine in call.machines.values():
        frame = machine.encrypt(SECRET)
        assert frame is not None
        assert SECRET[1:] not in frame
        assert frame == SILENCE_FRAME or frame.endswith(b"\xfa\xfa")


def say(call: Call, op: int, **data: int) -> None:
    kinds = {
        Opcode.DAVE_PREPARE_TRANSITION: DavePrepareTransition,
        Opcode.DAVE_EXECUTE_TRANSITION: DaveExecuteTransition,
        Opcode.DAVE_PREPARE_EPOCH: DavePrepareEpoch,
    }
    for machine in call.machines.values():
        machine.receive_json(op, kinds[Opcode(op)](**data), call.now)


def attack_op_24_again_and_again(call: Call) -> None:
    for _ in range(5):
        say(call, Opcode.DAVE_PREPARE_EPOCH, protocol_version=1, epoch=1)
        assert_nothing_is_heard(call)


def attack_op_24_to_version_0(call: Call) -> None:
    for epoch in (0, 1, 2):
        say(call, Opcode.DAVE_PREPARE_EPOCH, protocol_version=0, epoch=epoch)
        assert_nothing_is_heard(call)


def attack_another_op_4(call: Call) -> None:
    for version in (0, 1, 0):
        for user_id, machine in call.machines.items():
            machine.session_described(version, call.channel_id, user_id, call.now)
        assert_nothing_is_heard(call)


def attack_op_13_for_everybody(call: Call) -> None:
    for machine in call.machines.values():
        for user_id in call.machines:
            machine.user_left(user_id, call.now)
    say(call, Opcode.DAVE_PREPARE_EPOCH, protocol_version=1, epoch=1)
    assert_nothing_is_heard(call)
    say(call, Opcode.DAVE_PREPARE_TRANSITION, transition_id=0, protocol_version=1)


def attack_corrupted_welcomes(call: Call) -> None:
    say(call, Opcode.DAVE_PREPARE_EPOCH, protocol_version=1, epoch=1)
    for number in range(10):
        for machine in call.machines.values():
            machine.receive_binary(WELCOME, welcome(number, bytes(300)), call.now)
            call.now += 1.1
            machine.handle_timeout(call.now)
        assert_nothing_is_heard(call)


def attack_op_31_loop(call: Call) -> None:
    for number in range(20):
        for machine in call.machines.values():
            header = (
                b"\x00\x01\x00\x01\x08" + call.channel_id.to_bytes(8, "big") + bytes((0x7F,) * 8)
            )
            machine.receive_binary(COMMIT, number.to_bytes(2, "big") + header, call.now)
            machine.receive_binary(COMMIT, number.to_bytes(2, "big") + b"\xff", call.now)
        assert_nothing_is_heard(call)
    for user_id, machine in call.machines.items():
        said = []
        while (message := machine.poll()) is not None:
            said.append(message[0])
        assert said.count(Opcode.MLS_INVALID_COMMIT_WELCOME) == 5, user_id


def attack_op_22_of_what_was_never_announced(call: Call) -> None:
    for transition_id in range(200):
        say(call, Opcode.DAVE_EXECUTE_TRANSITION, transition_id=transition_id)
    assert_nothing_is_heard(call)


ATTACKS = [value for name, value in globals().items() if name.startswith("attack_")]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_no_attack_gets_a_clear_frame(call: Call, attack: Callable[[Call], None]) -> None:
    attack(call)
    assert_nothing_is_heard(call)
    for _ in range(4):
        call.now += 30.0
        for machine in call.machines.values():
            machine.handle_timeout(call.now)
        assert_nothing_is_heard(call)
    for machine in call.machines.values():
        assert machine.version == 1


@pytest.mark.parametrize("seed", range(12))
def test_attacks_in_any_order(call: Call, seed: int) -> None:
    random = Random(seed)
    for attack in random.choices([a for a in ATTACKS if a is not attack_op_31_loop], k=4):
        attack(call)
        assert_nothing_is_heard(call)


def test_what_a_leaver_has_does_not_open_what_the_sole_member_sends(call: Call) -> None:
    call.leave(13)
    call.settle()
    leaver = call.leave(12)
    assert leaver is not None
    call.settle()
    frames = [call.machines[11].encrypt(SECRET) for _ in range(3)]
    assert frames == [SILENCE_FRAME] * 3


NUMBERS = st.integers(0, 4)
EPOCHS = st.integers(0, 12)
BODIES = st.sampled_from([b"", b"bad", b"ours", b"ignored"])
ATTEMPTS = st.one_of(
    st.tuples(st.just("commit"), NUMBERS, EPOCHS, BODIES),
    st.tuples(st.just("welcome"), NUMBERS, BODIES),
    st.tuples(st.just("execute"), NUMBERS),
    st.tuples(st.just("prepare_transition"), NUMBERS, st.integers(1, 3)),
    st.tuples(st.just("prepare_epoch"), NUMBERS, st.integers(0, 3)),
    st.tuples(st.just("propose"), EPOCHS),
    st.tuples(st.just("sender"), st.sampled_from([EXTERNAL_SENDER, OTHER_SENDER, b""])),
    st.tuples(st.just("junk"), st.sampled_from([SENDER, PROPOSALS, COMMIT, WELCOME]), st.binary()),
    st.tuples(st.just("described"), st.integers(0, 1)),
    st.tuples(st.just("left"), st.sampled_from([ME, 12])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 3.0, 20.0])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ATTEMPTS, max_size=30))
def test_no_sequence_of_messages_gets_a_clear_frame(attempts: list[tuple[object, ...]]) -> None:
    bench = Bench().member()
    machine = bench.machine
    for name, *values in attempts:
        match name, values:
            case "commit", [int(transition_id), int(epoch), bytes(body)]:
                bench.binary(COMMIT, commit(transition_id, epoch, body))
            case "welcome", [int(transition_id), bytes(body)]:
                bench.binary(WELCOME, welcome(transition_id, body or b"welcome"))
            case "execute", [int(transition_id)]:
                bench.execute(transition_id)
            case "prepare_transition", [int(transition_id), int(version)]:
                bench.prepare_transition(transition_id, version)
            case "prepare_epoch", [int(epoch), int(version)]:
                bench.prepare_epoch(epoch, version)
            case "propose", [int(epoch)]:
                bench.propose(epoch)
            case "sender", [bytes(package)]:
                bench.binary(SENDER, package)
            case "junk", [int(op), bytes(payload)]:
                bench.binary(op, payload)
            case "described", [int(version)]:
                machine.session_described(version, CHANNEL, ME, bench.now)
            case "left", [int(user_id)]:
                machine.user_left(user_id, bench.now)
            case "wait", [float(seconds)]:
                bench.wait(seconds)
        frame = bench.sent()
        assert frame == SILENCE_FRAME or frame.endswith(b"|" + OPUS + b"\xfa\xfa")
        assert machine.version == 1
        assert machine.counters.recoveries <= 5 + bench.now
        assert machine.decrypt(12, OPUS + b"\xfa\xfa", bench.now) is None
