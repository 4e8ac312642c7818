"""Each fault of the delivery service is felt, and a client that does as it should recovers."""

import dave
import pytest

from tests.server.dave_peers import DavePeer, DaveWorld, assert_one_group
from voicekit.server import parse_fault


@pytest.fixture
def world() -> DaveWorld:
    return DaveWorld()


@pytest.fixture
def pair(world: DaveWorld) -> tuple[DavePeer, DavePeer]:
    first, second = world.members(1, 2)
    return first, second


def test_a_corrupt_commit_fails_for_one_who_is_added_again(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    world.server.faults.delivery("corrupt-commit", 1, world.now, user_id=2)
    third = world.member(3)
    world.run(3.0)
    assert (first.failures, second.failures, third.failures) == (0, 1, 0)
    assert_one_group(first, second, third)


def test_a_commit_that_fails_for_all_ends_the_group_and_a_new_one_forms(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    world.server.faults.delivery("corrupt-commit", 1, world.now)
    third = world.member(3)
    world.run(10.0)
    assert first.failures == second.failures == 1
    assert_one_group(first, second, third)


def test_a_corrupt_welcome_fails_for_the_newcomer(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    third = world.dave_peer(3)
    third.connect()
    third.identify()
    world.server.faults.delivery("corrupt-welcome", 1, world.now, user_id=3)
    third.discover()
    third.select()
    world.run(3.0)
    assert third.failures == 1
    assert_one_group(*pair, third)


def test_corrupt_proposals_are_made_up_for_by_the_others_or_a_new_batch(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    world.server.faults.delivery("corrupt-proposals", 1, world.now)
    third = world.member(3)
    world.run(10.0)
    assert first.failures == second.failures == 0
    assert_one_group(first, second, third)


@pytest.mark.parametrize("fault", ["wrong-external-sender@0", "late-external-sender@0"])
def test_an_external_sender_that_is_wrong_or_late_spoils_the_first_group_only(fault: str) -> None:
    world = DaveWorld(faults=(parse_fault(f"{fault.replace('@', ',user=2@')}"),))
    first, second = world.members(1, 2)
    assert 25 in second.log
    assert 4 in second.log[: second.log.index(25)]
    world.run(10.0)
    assert first.closed is second.closed is None
    if fault.startswith("late"):
        assert_one_group(first, second)
    else:
        own = world.dave_peer(9)
        assert second.external_sender != first.external_sender != own.external_sender


def test_a_late_external_sender_follows_the_proposals_that_need_it() -> None:
    world = DaveWorld(faults=(parse_fault("late-external-sender,user=1@0"),))
    first = world.dave_peer(1)
    first.commits = False
    first.enter()
    assert first.log == [8, 2, 4]
    second = world.dave_peer(2)
    second.commits = False
    second.enter()
    assert first.log == [8, 2, 4, 11, 27, 25]


def test_a_late_external_sender_comes_after_two_seconds_at_the_latest() -> None:
    world = DaveWorld(faults=(parse_fault("late-external-sender@0"),))
    peer = world.member(1)
    world.run(1.9)
    assert 25 not in peer.log
    world.run(0.2)
    assert peer.log[-1] == 25


def test_a_ghost_is_refused_by_the_careful_and_welcomed_by_nobody(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    world.server.faults.delivery("ghost-add", 1, world.now, user_id=1)
    world.server.faults.delivery("ghost-add", 1, world.now, user_id=2)
    third = world.member(3)
    assert 30 not in third.log  # nobody committed the batch with the ghost
    world.run(10.0)
    assert sorted(world.call.group) == [1, 2, 3]
    assert_one_group(first, second, third)


def test_a_client_that_trusts_everybody_lets_the_ghost_into_its_commit_only(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    second.commits = False

    class Everybody(set[str]):
        def __contains__(self, user: object) -> bool:
            return True

    world.server.faults.delivery("ghost-add", 1, world.now, user_id=1)
    first.known = {str(user) for user in range(1, 100)}
    world.member(3)
    # The ghost's id is random: even so, the commit is of more than was proposed.
    assert set(world.call.refused) <= {"other_proposals", "old_epoch"}
    world.run(10.0)
    assert sorted(world.call.group) == [1, 2, 3]


def test_a_dropped_execute_leaves_one_behind_until_the_next(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    world.server.faults.delivery("drop-execute", 1, world.now, user_id=2)
    third = world.member(3)
    world.run(3.0)
    assert first.executed[-1] == third.executed[-1] == second.executed[-1] + 1
    world.member(4)
    world.run(3.0)
    assert second.executed[-1] == first.executed[-1]


def test_a_delayed_execute_comes_late_for_one(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    world.server.faults.delivery("delay-execute", 1.5, world.now, user_id=2)
    world.member(3)
    assert (first.executed[-1], second.executed[-1]) == (2, 1)
    world.run(1.4)
    assert second.executed[-1] == 1
    world.run(0.2)
    assert second.executed[-1] == 2


def test_a_fault_dies_with_the_session_it_was_set_on(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    world.server.faults.delivery("corrupt-welcome", 5, world.now, user_id=2)
    second.close(1000)
    again = world.member(2)
    world.run(3.0)
    assert again.failures == 0
    assert_one_group(first, again)


def test_where_there_is_no_encryption_the_faults_do_nothing() -> None:
    world = DaveWorld(dave="off", faults=(parse_fault("corrupt-welcome@0"),))
    world.members(1, 2)
    world.server.faults.delivery("drop-execute", 1, world.now)
    assert world.server.calls() == []


# -- clients that do wrong ----------------------------------------------------------------


def test_somebody_elses_key_package_is_refused(world: DaveWorld) -> None:
    first, second = world.dave_peer(1), world.dave_peer(2)
    first.enter()
    second.hold()
    second.enter()
    stranger = dave.Session(None)
    stranger.init(1, second.group_id, "77", dave.SignatureKeyPair.generate(1))
    second.send_binary(b"\x1a" + (stranger.get_marshalled_key_package() or b""))
    assert second.stats.messages_bad == {"foreign_key_package": 1}
    assert second.closed is None


def test_a_signature_key_that_another_member_has_is_refused(world: DaveWorld) -> None:
    first, second = world.dave_peer(1), world.dave_peer(2)
    second.key = first.key
    first.enter()
    second.enter()
    assert second.stats.messages_bad == {"duplicate_key": 1}


def test_garbage_is_counted_and_nothing_else(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    for op in (26, 28):
        for payload in (b"", b"\0", bytes(300), b"\xff" * 300):
            first.send_binary(bytes((op,)) + payload)
    first.send(23, {"transition_id": 999})
    assert first.stats.messages_bad == {"bad_mls": 8}
    assert first.closed is None
    assert_one_group(first, second)


def test_key_packages_are_rationed() -> None:
    world = DaveWorld(heartbeat_interval=1000.0)
    pair = first, _ = world.members(1, 2)
    first.hold()
    for _ in range(20):
        first.begin()
    first.release()
    assert first.stats.messages_bad["rate_limited"] >= 10
    world.run(60.0)
    first.begin()
    world.drain()
    world.run(10.0)
    assert_one_group(*pair)


def test_a_key_package_that_nobody_can_add_keeps_nobody_else_out(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    """A hostile one: well-formed and signed, but clients refuse whom it names."""
    first, second = pair
    good, another = world.dave_peer(5), world.dave_peer(6)
    for peer in (first, second, good, another):
        peer.known = Without("66", peer.known)
    world.member(66)
    world.run(0.5)
    good.enter()
    world.run(5.0)
    assert_one_group(first, second, good)
    another.enter()
    assert_one_group(first, second, good, another)  # at once: the bad one makes way
    assert 66 not in world.call.group


class Without(set[str]):
    """The users that an op 11 announces, but for one."""

    def __init__(self, without: str, users: set[str]) -> None:
        super().__init__(users)
        self._without = without

    def __ior__(self, other: object) -> "Without":  # type: ignore[override, misc]
        assert isinstance(other, set)
        self.update(other - {self._without})
        return self
