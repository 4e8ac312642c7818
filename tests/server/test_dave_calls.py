"""Groups form, grow, shrink, fall back and come again, with libdave at the other end."""

import pytest

from tests.server.dave_peers import DavePeer, DaveWorld, assert_one_group
from tests.server.world import CHANNEL_ID


@pytest.fixture
def world() -> DaveWorld:
    return DaveWorld()


# -- the order that real clients need ---------------------------------------------------


def test_a_lone_client_gets_op_25_after_op_4_and_no_op_11(world: DaveWorld) -> None:
    peer = world.member(1)
    assert peer.log == [8, 2, 4, 25]
    assert peer.dave_version == 1
    assert (world.call.epoch, world.call.settled) == (None, True)
    assert peer.stats.dave_version == 1


def test_two_clients_form_a_group(world: DaveWorld) -> None:
    first, second = world.member(1), world.member(2)
    assert second.log[:5] == [8, 2, 11, 4, 25]
    assert_one_group(first, second)
    assert first.executed == second.executed == [1]
    assert (world.call.epoch, sorted(world.call.group)) == (1, [1, 2])
    assert world.call.refused.keys() <= {"old_epoch"}


def test_in_flight_adds_come_right_after_op_25(world: DaveWorld) -> None:
    first, second = world.dave_peer(1), world.dave_peer(2)
    first.hold()
    second.hold()
    first.enter()
    second.enter()
    first.held, keep = None, first.held
    assert keep is not None
    third = world.dave_peer(3)
    third.hold()
    third.enter()
    assert third.logged() == [8, 2, 11, 4, 25]  # nothing was proposed yet
    first.commits = second.commits = False
    world.answers += keep
    second.release()
    assert world.call.epoch is None
    fourth = world.dave_peer(4)
    fourth.hold()
    fourth.enter()
    assert fourth.logged() == [8, 2, 11, 4, 25, 27]


def test_an_existing_member_gets_the_commit_and_a_newcomer_the_welcome(world: DaveWorld) -> None:
    first, second = world.members(1, 2)
    first.logged()
    second.logged()
    third = world.member(3)
    assert_one_group(first, second, third)
    assert first.logged() == second.logged() == [11, 27, 29, 22]
    assert third.log == [8, 2, 11, 4, 25, 30, 22]


def test_everybody_joins_at_once(world: DaveWorld) -> None:
    peers = [world.dave_peer(user_id) for user_id in range(1, 9)]
    for peer in peers:
        peer.hold()
        peer.enter()
    for peer in peers:
        peer.release()
    world.run(3.0)
    assert_one_group(*peers)
    assert world.call.settled


def test_the_binary_and_text_messages_of_dave_are_numbered(world: DaveWorld) -> None:
    first, *_ = world.members(1, 2, 3)
    numbers = [m["seq"] for m in first.messages if m["op"] in (11, 13, 21, 22, 24)]
    numbers += [int.from_bytes(data[:2], "big") for data in first.binary]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


# -- leaving ----------------------------------------------------------------------------


def test_who_leaves_is_removed_and_can_not_follow(world: DaveWorld) -> None:
    first, second, third = world.members(1, 2, 3)
    before = third.authenticator
    third.close(1000)
    world.run(3.0)
    assert_one_group(first, second)
    assert first.authenticator != before
    assert sorted(world.call.group) == [1, 2]


def test_a_newcomer_is_told_of_those_who_left_but_are_in_the_group(world: DaveWorld) -> None:
    first, second, third = world.members(1, 2, 3)
    first.commits = second.commits = False  # so that the removal takes its time
    third.close(1000)
    assert sorted(world.call.group) == [1, 2, 3]
    newcomer = world.member(4)
    announced = {int(u) for data in newcomer.data_of(11) for u in data["user_ids"]}
    assert announced == {1, 2, 3}
    assert newcomer.data_of(13) == []
    first.commits = second.commits = True
    world.run(3.0)
    assert_one_group(first, second, newcomer)
    assert newcomer.data_of(13) == [{"user_id": "3"}]
    log = newcomer.log
    assert log.index(30) < log.index(13)
    assert newcomer.failures == 0


def test_who_waits_for_a_welcome_hears_of_a_leaving_after_it(world: DaveWorld) -> None:
    first, second, third = world.members(1, 2, 3)
    first.hold()
    second.hold()
    third.hold()
    newcomer = world.member(4)  # to be added to a tree that has the third in it
    third.close(1000)
    assert newcomer.data_of(13) == []
    assert {"user_id": "3"} in first.data_of(13)
    first.release()
    second.release()
    world.run(3.0)
    assert newcomer.failures == 0
    assert newcomer.data_of(13) == [{"user_id": "3"}]
    assert_one_group(first, second, newcomer)


def test_a_user_who_comes_back_before_its_removal_is_removed_and_added(world: DaveWorld) -> None:
    first, second, third = world.members(1, 2, 3)
    first.hold()
    second.hold()
    third.close(1000)
    again = world.member(3)
    first.release()
    second.release()
    world.run(3.0)
    assert_one_group(first, second, again)
    assert first.data_of(13) == [{"user_id": "3"}]
    assert sorted(world.call.group) == [1, 2, 3]


def test_the_last_one_begins_anew_and_is_joined_again(world: DaveWorld) -> None:
    first, second = world.members(1, 2)
    first.logged()
    second.close(1000)
    assert first.logged() == [13, 24, 21]
    assert first.data_of(24) == [{"protocol_version": 1, "epoch": 1}]
    assert first.data_of(21) == [{"transition_id": 0, "protocol_version": 1}]
    assert world.call.epoch is None
    third = world.member(3)
    assert_one_group(first, third)


def test_the_group_ends_with_its_last_member(world: DaveWorld) -> None:
    first, second = world.members(1, 2)
    first.close(1000)
    second.close(1000)
    assert world.server.calls() == []
    assert world.server.next_timeout() is None
    assert_one_group(*world.members(1, 2))


def test_who_moves_leaves_one_group_and_joins_the_other() -> None:
    world = DaveWorld(default_channel_id=None)
    first, second = world.member(1, channel_id=CHANNEL_ID), world.member(2, channel_id=CHANNEL_ID)
    elsewhere = world.dave_peer(3, channel_id=700)
    elsewhere.group_id = 700
    elsewhere.enter()
    assert_one_group(first, second)
    second.close(1000)
    second.group_id = second.channel_id = 700
    second.known = {"2"}
    second.external_sender = b""
    second.enter()
    world.run(3.0)
    assert_one_group(second, elsewhere)
    there, here = sorted(world.server.calls(), key=lambda call: len(call.users), reverse=True)
    assert (sorted(there.group), here.epoch) == ([2, 3], None)


# -- sockets ------------------------------------------------------------------------------


def test_who_lost_its_socket_stays_a_member_and_gets_everything_replayed(world: DaveWorld) -> None:
    first, second, third = world.members(1, 2, 3)
    third.close(1006)
    fourth = world.member(4)
    assert sorted(world.call.group) == [1, 2, 3, 4]
    assert first.executed == [1, 2]  # not executed for the fourth: the third is awaited
    world.run(2.1)
    assert first.executed[-1] == fourth.executed[-1] == 3
    third.resume()
    assert third.executed[-1] == 3
    assert_one_group(first, second, third, fourth)


def test_who_never_comes_back_is_removed_when_its_session_ends() -> None:
    world = DaveWorld(resume_window=5.0, heartbeat_interval=1000.0)
    first, second, third = world.members(1, 2, 3)
    third.close(1006)
    world.run(4.0)
    assert 3 in world.call.group
    world.run(3.0)
    assert 3 not in world.call.group
    assert_one_group(first, second)


def test_a_new_session_description_is_a_new_beginning(world: DaveWorld) -> None:
    first, second, third = world.members(1, 2, 3)
    third.logged()
    third.select()
    world.run(3.0)
    assert third.logged()[:2] == [4, 25]
    assert_one_group(first, second, third)


# -- versions -------------------------------------------------------------------------------


def test_a_client_without_dave_brings_the_call_down_and_up_again(world: DaveWorld) -> None:
    first, second = world.members(1, 2)
    first.logged()
    plain = world.plain(3)
    assert plain.data_of(4)[0]["dave_protocol_version"] == 0
    assert plain.binary == []
    assert first.logged() == [11, 21, 22]
    assert first.data_of(21)[-1] == {"transition_id": 2, "protocol_version": 0}
    assert first.dave_version == second.dave_version == 0
    assert first.stats.dave_version == plain.stats.dave_version == 0
    fourth = world.member(4)
    assert fourth.dave_version == 0
    assert 25 not in fourth.log
    plain.close(1000)
    world.run(3.0)
    assert_one_group(first, second, fourth)
    log = fourth.log
    assert log.index(24) < log.index(25)
    assert first.stats.dave_version == 1


def test_a_downgrade_waits_two_seconds_for_who_is_not_ready(world: DaveWorld) -> None:
    first, second = world.members(1, 2)
    second.says_ready = False
    world.plain(3)
    assert (first.dave_version, second.dave_version) == (1, 1)
    world.run(2.0)
    assert (first.dave_version, second.dave_version) == (0, 0)


def test_what_was_under_way_to_a_call_that_fell_back_is_late_not_bad(world: DaveWorld) -> None:
    first, second = world.member(1), world.dave_peer(2)
    second.hold()
    second.enter()
    world.plain(3)
    second.release()
    assert second.stats.messages_bad == {}
    assert second.stats.messages_late == 1
    assert first.closed is second.closed is None


def test_required_refuses_a_client_without_dave() -> None:
    world = DaveWorld(dave="required")
    plain = world.peer(user_id=3)
    plain.connect()
    plain.identify()
    assert plain.closed == 4017
    old = world.dave_peer(4, version=7)  # its binary messages would have no numbers
    old.connect()
    old.identify()
    assert old.closed == 4017
    assert_one_group(*world.members(1, 2))


def test_required_refuses_who_is_in_a_channel_that_nobody_named() -> None:
    world = DaveWorld(dave="required", default_channel_id=None)
    peer = world.dave_peer(1)
    peer.connect()
    peer.identify()
    assert peer.closed == 4017


def test_off_is_version_0_for_everybody() -> None:
    world = DaveWorld(dave="off")
    peer = world.member(1)
    assert peer.dave_version == 0
    assert peer.log == [8, 2, 4]
    peer.send_binary(b"\x1aanything")
    assert (peer.closed, peer.stats.messages_bad) == (None, {})
    assert world.server.calls() == []


def test_a_channel_that_becomes_known_too_late_stays_in_clear() -> None:
    world = DaveWorld(default_channel_id=None)
    early = world.member(1)
    assert early.dave_version == 0
    late = world.member(2, version=9, channel_id=CHANNEL_ID)
    assert late.dave_version == 0
    early.close(1000)
    world.run(3.0)
    assert 24 in late.log
    assert_one_group(late, world.member(3))


@pytest.mark.parametrize("first_id", [0, 65535])
def test_transition_ids_may_be_0_and_wrap_to_1(first_id: int) -> None:
    world = DaveWorld(first_transition_id=first_id)
    first, second = world.members(1, 2)
    third = world.member(3)
    assert_one_group(first, second, third)
    assert first.executed[0] == first_id
    assert third.executed == [1]


def test_a_full_group_takes_nobody_more() -> None:
    world = DaveWorld(max_group=2)
    world.members(1, 2)
    third = world.dave_peer(3)
    third.connect()
    third.identify()
    assert third.closed == 1013
    assert world.plain(4).closed is None


def test_thirty_members(world: DaveWorld) -> None:
    peers: list[DavePeer] = [world.dave_peer(user_id) for user_id in range(1, 31)]
    for peer in peers:
        peer.hold()
        peer.enter()
    for peer in peers:
        peer.release()
    world.run(5.0)
    assert len({peer.authenticator for peer in peers}) == 1
    assert len(world.call.group) == 30
