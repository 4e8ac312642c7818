"""Groups form, grow, shrink, fall back and come again, on both backends and mixed."""

from collections.abc import Callable

import pytest

from tests.dave.call import Call

BACKENDS: dict[str, Callable[[int], str]] = {
    "dave.py": lambda user_id: "dave.py",
    "davey": lambda user_id: "davey",
    "mixed": lambda user_id: "dave.py" if user_id % 2 else "davey",
}


@pytest.fixture(params=list(BACKENDS))
def call(request: pytest.FixtureRequest) -> Call:
    return Call(BACKENDS[request.param])


def test_two_members_hear_each_other(call: Call) -> None:
    call.join(11)
    call.settle()
    call.join(12)
    call.settle()
    call.assert_everybody_hears_everybody()


def test_everybody_joins_at_once(call: Call) -> None:
    for user_id in range(11, 17):
        call.join(user_id)
    call.settle()
    call.assert_everybody_hears_everybody()


def test_members_come_and_go(call: Call) -> None:
    for user_id in (11, 12, 13, 14):
        call.join(user_id)
        call.settle()
    call.leave(12)
    call.settle()
    call.join(15)
    call.settle()
    call.leave(11)
    call.join(16)
    call.settle()
    call.assert_everybody_hears_everybody()
    assert sorted(call.delivery.group) == [13, 14, 15, 16]


def test_the_last_one_waits_and_is_joined_again(call: Call) -> None:
    call.join(11)
    call.join(12)
    call.settle()
    call.leave(12)
    call.settle()
    assert call.delivery.epoch is None
    call.join(13)
    call.settle()
    call.assert_everybody_hears_everybody()


def test_a_client_without_dave_brings_the_call_down_and_up_again(call: Call) -> None:
    call.join(11)
    call.join(12)
    call.settle()
    call.join(13, max_version=0)
    call.settle()
    assert not any(machine.encrypted for machine in call.machines.values())
    assert call.heard(11, 12, b"in clear") == b"in clear"
    call.leave(13)
    call.settle()
    call.assert_everybody_hears_everybody()


@pytest.mark.parametrize("fault", ["corrupt_commits", "corrupt_welcomes", "corrupt_proposals"])
def test_one_broken_message_is_recovered_from(call: Call, fault: str) -> None:
    call.join(11)
    call.join(12)
    call.settle()
    setattr(call.delivery.faults, fault, 1)
    call.join(13)
    call.settle()
    if fault == "corrupt_proposals":
        call.join(14)  # whoever missed a proposal is brought along by the next commit
        call.settle()
    call.assert_everybody_hears_everybody()
