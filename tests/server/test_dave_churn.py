"""Members come, go, stall, lose sockets and begin anew at random: in the end one group."""

from random import Random

import pytest

from tests.server.dave_peers import DavePeer, DaveWorld, assert_one_group
from tests.server.world import Peer

FAULTS = ("corrupt-commit", "corrupt-welcome", "corrupt-proposals", "drop-execute", "ghost-add")


@pytest.mark.parametrize("seed", range(12))
def test_after_any_turmoil_there_is_one_group(seed: int) -> None:
    random = Random(seed)
    world = DaveWorld(heartbeat_interval=1000.0, resume_window=20.0, message_burst=5000.0)
    members: list[DavePeer] = []
    plain: list[Peer] = []
    user_id = 0
    for _ in range(40):
        member = random.choice(members) if members else None
        action = random.choice(
            ["join", "join", "leave", "lose", "resume", "hold", "release", "anew", "wait", "fault",
             "plain", "unplain"]
        )  # fmt: skip
        if action == "join" and len(members) < 8:
            user_id += 1
            members.append(world.member(user_id))
        elif action == "plain" and not plain:
            plain.append(world.plain(user_id := user_id + 1))
        elif action == "unplain" and plain:
            plain.pop().close(1000)
        elif action == "wait":
            world.run(random.choice([0.0, 0.5, 3.0]))
        elif member is None:
            continue
        elif action == "leave" and member.closed is None and connected(world, member):
            member.close(1000)
            members.remove(member)
        elif action == "lose" and connected(world, member) and member.held is None:
            member.close(1006)
        elif action == "resume" and not connected(world, member):
            come_back(world, member, members)
        elif action == "hold" and member.held is None and connected(world, member):
            member.hold()
        elif action == "release" and member.held is not None:
            member.release()
        elif action == "anew" and connected(world, member) and member.dave_version:
            member.say(31, {"transition_id": 1})
            member.begin()
            world.drain()
        elif action == "fault":
            world.server.faults.delivery(
                random.choice(FAULTS), 1, world.now, user_id=member.user_id
            )
    for peer in plain:
        peer.close(1000)
    for member in list(members):
        if member.held is not None:
            member.release()
        if not connected(world, member):
            come_back(world, member, members)
    while len(members) < 2:
        members.append(world.member(user_id := user_id + 1))
    world.run(60.0)
    for fault in FAULTS:
        world.server.faults.delivery(fault, 0, world.now)
    members.append(world.member(user_id + 1))  # the next commit brings along whoever is behind
    world.run(30.0)
    assert world.call.settled
    assert sorted(world.call.group) == sorted(member.user_id for member in members)
    assert_one_group(*members)
    # Races are nobody's fault; only who begins anew too often is rationed.
    for stats in world.server.stats():
        assert stats.messages_bad.keys() <= {"rate_limited"}


def connected(world: DaveWorld, member: DavePeer) -> bool:
    return world.peers.get(member.link) is member


def come_back(world: DaveWorld, member: DavePeer, members: list[DavePeer]) -> None:
    """Resume; or, if the session is over, begin anew as somebody else would."""
    member.resume()
    if member.closed is not None:
        members.remove(member)
        members.append(world.member(member.user_id))
