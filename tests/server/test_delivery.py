"""The delivery service alone: what it refuses, what it waits for, and what it withdraws."""

from typing import Any

import dave
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicekit.server.batch import MAX_TIMEOUT, TIMEOUT
from voicekit.server.delivery import Delivery
from voicekit.server.ghost import make_key_package
from voicekit.server.leaves import Leaves
from voicekit.server.mls import parse_commit_welcome, vector
from voicekit.server.transitions import TRANSITION_TIMEOUT, Transitions

CHANNEL = 600


class Client:
    """A libdave session whose messages the test carries to and fro."""

    def __init__(self, delivery: Delivery, user_id: int, channel_id: int = CHANNEL) -> None:
        self.user_id = user_id
        self.delivery = delivery
        self.session: Any = dave.Session(None)
        self.session.init(1, channel_id, str(user_id), dave.SignatureKeyPair.generate(1))
        self.package: bytes = self.session.get_marshalled_key_package()

    def say(self, op: int, payload: object, now: float = 0.0) -> str | None:
        return self.delivery.receive(self.user_id, op, payload, now)


def inbox(delivery: Delivery) -> dict[int, list[tuple[int, Any]]]:
    """Take all messages, by receiver."""
    messages: dict[int, list[tuple[int, Any]]] = {}
    for user_id, op, payload in delivery:
        messages.setdefault(user_id, []).append((op, payload))
    return messages


@pytest.fixture
def delivery() -> Delivery:
    return Delivery(CHANNEL)


def joined(channel_id: int = CHANNEL) -> tuple[Delivery, Client, Client, bytes]:
    """Two clients, and the commit of the first, not sent yet."""
    delivery = Delivery(CHANNEL)
    first, second = Client(delivery, 1, channel_id), Client(delivery, 2)
    for client in (first, second):
        delivery.join(client.user_id, 1, 0.0)
    for user_id, messages in inbox(delivery).items():
        client = first if user_id == 1 else second
        client.session.set_external_sender(messages[0][1])
    for client in (first, second):
        assert client.say(26, client.package) is None
    [(op, payload)] = inbox(delivery)[1]
    assert op == 27
    return delivery, first, second, first.session.process_proposals(payload, {"1", "2"}) or b""


def test_the_first_valid_commit_wins_and_a_second_is_late() -> None:
    delivery, first, _, commit = joined()
    assert first.say(28, commit) is None
    assert delivery.epoch == 1
    assert first.say(28, commit) == "old_epoch"
    messages = inbox(delivery)
    assert [op for op, _ in messages[1]] == [29]
    assert [op for op, _ in messages[2]] == [30]
    assert messages[1][0][1][:2] == messages[2][0][1][:2] == b"\0\1"


def test_a_commit_for_another_group_is_refused() -> None:
    delivery, first, *_ = joined()
    other, stranger, _, foreign = joined()
    del other, stranger
    changed = foreign.replace(vector(CHANNEL.to_bytes(8, "big")), vector(bytes(8)), 1)
    assert first.say(28, changed) == "foreign_group"
    assert first.say(28, foreign) == "other_proposals"
    assert delivery.epoch is None


def test_a_commit_in_the_name_of_another_leaf_is_refused() -> None:
    delivery, first, second, commit = joined()
    parsed, _ = parse_commit_welcome(commit)
    at = 4 + len(vector(parsed.group_id)) + 8 + 1  # after version, format, group, epoch, type
    assert first.say(28, commit[:at] + b"\0\0\0\1" + commit[at + 4 :]) == "foreign_leaf"
    assert second.say(28, commit) == "other_proposals"  # it was shown another batch
    assert delivery.epoch is None


def test_a_commit_whose_new_leaf_is_forged_is_refused() -> None:
    delivery, first, _, commit = joined()
    third = Client(delivery, 3)
    assert first.say(28, commit) is None
    delivery.join(3, 1, 0.0)
    assert third.say(26, third.package) is None
    first.session.process_commit(inbox(delivery)[1][0][1][2:])
    delivery.leave(2, 0.0)
    delivery.handle_timeout(TIMEOUT)  # the batch that adds the third makes way, or is joined
    commit = b""
    for op, payload in inbox(delivery)[1]:
        if op == 27:
            commit = first.session.process_proposals(payload, {"1", "2", "3"}) or b""
    parsed, _ = parse_commit_welcome(commit)
    assert parsed.leaf is not None
    at = commit.index(parsed.leaf.signature) + len(parsed.leaf.signature) - 1
    assert first.say(28, commit[:at] + bytes((commit[at] ^ 1,)) + commit[at + 1 :]) == "bad_mls"
    assert delivery.refused["bad_mls"] == 1
    assert first.say(28, commit, TIMEOUT) is None


def test_a_welcome_must_be_for_whom_the_commit_adds() -> None:
    _, first, _, commit = joined()
    parsed, welcome = parse_commit_welcome(commit)
    assert welcome is not None
    assert first.say(28, parsed.message) == "wrong_welcome"
    [reference] = welcome.secrets
    assert first.say(28, commit.replace(reference, bytes(len(reference)))) == "wrong_welcome"
    assert first.say(28, commit) is None


def test_a_commit_that_names_a_proposal_twice_or_itself_is_refused() -> None:
    delivery, first, _, commit = joined()
    parsed, _ = parse_commit_welcome(commit)
    entry = b"\2" + vector(parsed.references[0])
    twice = commit.replace(vector(entry), vector(entry + entry), 1)
    assert twice != commit
    assert first.say(28, twice) == "other_proposals"
    inline = commit.replace(vector(entry), vector(entry + b"\1\0\1"), 1)
    assert first.say(28, inline) == "inline_proposal"
    assert first.say(28, commit.replace(vector(entry), vector(b""), 1)) == "empty_commit"
    assert delivery.epoch is None


def test_a_commit_of_what_was_withdrawn_is_late() -> None:
    delivery, first, second, commit = joined()
    second_again = Client(delivery, 2)
    assert second.say(26, second_again.package) is None
    assert first.say(28, commit) == "withdrawn"
    ops = [(op, payload[:1]) for op, payload in inbox(delivery)[1]]
    assert ops == [(27, b"\1"), (27, b"\0")]  # revoked, and proposed anew


def test_a_stranger_is_heard_by_nobody(delivery: Delivery) -> None:
    for op, payload in ((26, b""), (28, b""), (23, 1), (31, 1), (25, b"")):
        assert delivery.receive(9, op, payload, 0.0) == "unexpected_dave"
    delivery.join(9, 1, 0.0)
    assert delivery.receive(9, 25, b"", 0.0) == "unexpected_dave"
    assert delivery.receive(9, 23, 77, 0.0) is None


def test_uncommitted_batches_are_withdrawn_and_come_again_more_slowly() -> None:
    delivery, *_ = joined()
    inbox(delivery)
    now, pauses = 0.0, []
    for _ in range(8):
        due = delivery.next_timeout()
        assert due is not None
        pauses.append(due - now)
        now = due
        delivery.handle_timeout(now)
        for messages in inbox(delivery).values():
            assert [payload[0] for _, payload in messages] in ([1, 0], [1], [0])
    assert pauses[0] == TIMEOUT
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_TIMEOUT


def test_a_corrupted_copy_is_the_only_one_that_is_corrupted() -> None:
    delivery, first, second, commit = joined()
    delivery.faults_of(2).corrupt_welcomes = 1
    assert first.say(28, commit) is None
    messages = inbox(delivery)
    assert first.session.process_commit(messages[1][0][1][2:]) is not dave.RejectType.failed
    assert second.session.process_welcome(messages[2][0][1][2:], {"1", "2"}) is None
    assert delivery.faults_of(2).corrupt_welcomes == 0


def test_the_version_is_the_lowest_of_all() -> None:
    delivery = Delivery(CHANNEL)
    assert [delivery.version_for(n) for n in (0, 1, 2, 9)] == [0, 1, 1, 1]
    delivery.join(1, 1, 0.0)
    delivery.join(2, 0, 0.0)
    assert (delivery.version, delivery.version_for(1)) == (0, 0)
    delivery.leave(2, 0.0)
    assert (delivery.version, delivery.version_for(1)) == (1, 1)


OPS = st.sampled_from([22, 23, 24, 26, 28, 31, 99])
PAYLOADS = st.one_of(st.binary(max_size=40), st.integers(0, 65535), st.none())


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("join"), st.integers(1, 5), st.integers(0, 1)),
            st.tuples(st.just("leave"), st.integers(1, 5), st.none()),
            st.tuples(st.just("package"), st.integers(1, 5), st.none()),
            st.tuples(st.just("say"), st.integers(1, 5), st.tuples(OPS, PAYLOADS)),
            st.tuples(st.just("wait"), st.floats(0, 3), st.none()),
        ),
        max_size=30,
    )
)
def test_no_order_of_events_breaks_it(events: list[tuple[str, Any, Any]]) -> None:
    delivery, now = Delivery(CHANNEL), 0.0
    for what, who, value in events:
        if what == "join":
            delivery.join(who, value, now)
        elif what == "leave":
            delivery.leave(who, now)
        elif what == "package":
            delivery.receive(who, 26, make_key_package(who).raw, now)
        elif what == "say":
            delivery.receive(who, *value, now)
        else:
            now += who
            due = delivery.next_timeout()
            if due is not None and due <= now:
                delivery.handle_timeout(now)
                again = delivery.next_timeout()
                assert again is None or again > due
        assert sum(1 for _ in delivery) <= 40


# -- its parts ----------------------------------------------------------------------------


def test_newcomers_take_the_leftmost_blank_leaf() -> None:
    leaves = Leaves()
    for user in (1, 2, 3, 4):
        leaves.add(user)
    leaves.remove(3)
    leaves.remove(2)
    leaves.add(5)
    assert (leaves.users, leaves.index(5)) == ((1, 5, 4), 1)
    leaves.add(6)
    leaves.add(7)
    assert (leaves.index(6), leaves.index(7)) == (2, 4)
    with pytest.raises(ValueError, match="2"):
        leaves.index(2)


def test_the_newest_transition_that_is_due_overtakes_those_before_it() -> None:
    transitions = Transitions(1)
    assert [transitions.take_id() for _ in range(3)] == [1, 2, 3]
    for number in (1, 2, 3):
        transitions.begin(number, 1, {10, 11}, 0.0)
    assert transitions.ready(10, 2) == []
    [executed] = transitions.ready(11, 2)
    assert executed.id == 2
    assert transitions.ready(10, 1) == []
    assert transitions.next_timeout() == TRANSITION_TIMEOUT
    assert transitions.overdue(1.9) == []
    assert [transition.id for transition in transitions.overdue(2.0)] == [3]
    assert not transitions


def test_nobody_waits_for_who_left() -> None:
    transitions = Transitions(1)
    transitions.begin(1, 1, {10, 11}, 0.0)
    assert transitions.ready(10, 1) == []
    [executed] = transitions.without(11)
    assert executed.members == {10}
