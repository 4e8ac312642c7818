"""What follows from op 4, 11, 13, 24, 25, 27, 29 and 30: one rule a test."""

import pytest

from tests.dave.fake_backend import (
    CHANNEL,
    EXTERNAL_SENDER,
    ME,
    OTHER_SENDER,
    commit,
    proposals,
    public_message,
    welcome,
)
from tests.dave.machines import (
    ANSWER,
    COMMIT,
    INVALID,
    OPUS,
    PACKAGE,
    PROPOSALS,
    SENDER,
    WELCOME,
    Bench,
    invalid,
    ready,
)
from voicekit.events import DaveRecovering, DaveTransition, ProtocolViolation


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- op 4 ------------------------------------------------------------------------


def test_op_4_with_a_version_makes_a_group_of_the_channel_and_offers_a_key_package(
    bench: Bench,
) -> None:
    bench.machine.session_described(1, CHANNEL, ME, 0.0)
    assert bench.backend.started == [(1, CHANNEL, ME)]
    assert bench.say() == [(PACKAGE, b"package 1")]


def test_version_0_makes_no_group_and_lets_everything_pass(bench: Bench) -> None:
    bench.described(0)
    assert (bench.said, bench.backend.started) == ([], [])
    assert bench.sent() is OPUS
    assert bench.machine.decrypt(12, OPUS, 0.0) is OPUS
    assert bench.machine.decrypt(12, OPUS + b"\xfa\xfa", 0.0) == OPUS + b"\xfa\xfa"


def test_another_op_4_in_the_same_session_changes_nothing(bench: Bench) -> None:
    bench.member()
    bench.machine.session_described(0, CHANNEL, ME, 1.0)
    bench.machine.session_described(1, CHANNEL, ME, 1.0)
    assert (bench.machine.encrypted, bench.machine.version, bench.machine.epoch) == (True, 1, None)
    assert bench.say() == []


def test_a_new_session_begins_with_nothing_of_the_old_one(bench: Bench) -> None:
    bench.member().commit(9, 7)
    bench.described()
    machine = bench.machine
    assert (machine.encrypted, machine.version, machine.privacy_code) == (False, 0, None)
    assert (machine.members, machine.epoch, bench.backend.layers) == ((), None, [])
    assert bench.execute(9) == []
    assert bench.sent() is OPUS


# -- op 25 -------------------------------------------------------------------------


def test_op_25_before_op_4_is_kept(bench: Bench) -> None:
    bench.machine.identifying()
    bench.binary(SENDER, EXTERNAL_SENDER)
    assert bench.backend.senders == []
    bench.machine.session_described(1, CHANNEL, ME, 0.0)
    assert bench.backend.senders == [EXTERNAL_SENDER]


def test_op_25_after_op_4_is_handed_on(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    assert bench.backend.senders == [EXTERNAL_SENDER]


def test_the_same_op_25_again_is_not_handed_on(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.binary(SENDER, EXTERNAL_SENDER)
    assert bench.backend.senders == [EXTERNAL_SENDER]


def test_another_op_25_replaces_the_first_also_in_the_next_group(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.binary(SENDER, OTHER_SENDER)
    bench.prepare_epoch()
    assert bench.backend.senders == [EXTERNAL_SENDER, OTHER_SENDER, OTHER_SENDER]


def test_op_25_is_forgotten_with_its_session(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.described()
    assert bench.backend.senders == [EXTERNAL_SENDER]


def test_an_empty_op_25_never_reaches_the_library(bench: Bench) -> None:
    bench.described().binary(SENDER, b"")
    assert bench.backend.senders == []
    assert [type(event) for event in bench.events()] == [ProtocolViolation]


# -- op 27 -------------------------------------------------------------------------


def test_proposals_are_answered_with_a_commit(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    assert bench.propose() == [(ANSWER, public_message(0, b"ours"))]


def test_proposals_are_checked_against_ourselves_and_who_is_there(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.machine.users_joined((13, 14), 0.0)
    bench.machine.user_left(12, 0.0)
    bench.propose()
    assert bench.backend.known == [frozenset({ME, 13, 14})]


def test_who_is_there_is_forgotten_at_the_next_identify(bench: Bench) -> None:
    bench.described().machine.users_joined((13,), 0.0)
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.propose()
    assert bench.backend.known == [frozenset({ME, 12})]


def test_nothing_left_after_a_revoke_is_no_commit(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.backend.answer = b""
    assert bench.binary(PROPOSALS, b"\x01\x03\x02ab") == []
    assert bench.machine.counters.proposals_ignored == 1


@pytest.mark.parametrize("version", [0, 1])
def test_proposals_without_a_group_or_an_external_sender_are_ignored(version: int) -> None:
    bench = Bench().described(version)
    assert bench.propose() == []
    assert bench.backend.proposed == []
    assert bench.machine.counters.proposals_ignored == 1


@pytest.mark.parametrize(
    "payload", [proposals(3), proposals(0, channel=1)], ids=["old epoch", "foreign group"]
)
def test_proposals_for_another_epoch_or_group_are_ignored(bench: Bench, payload: bytes) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    assert bench.binary(PROPOSALS, payload) == []
    assert bench.backend.proposed == []


def test_our_own_commit_tells_the_epoch_that_a_welcome_did_not(bench: Bench) -> None:
    bench.member()
    assert bench.machine.epoch is None
    bench.propose(7)
    assert bench.machine.epoch == 7


# -- op 29 -------------------------------------------------------------------------


def test_a_commit_brings_the_next_epoch_and_is_answered_with_ready(bench: Bench) -> None:
    bench.member()
    code = bench.machine.privacy_code
    assert bench.commit(2, 7) == [ready(2)]
    assert bench.machine.epoch == 8
    assert bench.machine.privacy_code != code
    assert bench.machine.members == (ME, 12)


def test_our_own_commit_is_what_founds_a_group(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.propose()
    assert bench.commit(1, 0, b"ours") == [ready(1)]
    assert bench.machine.epoch == 1


def test_a_strangers_commit_without_a_group_is_ignored(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    assert bench.commit(1, 0, b"theirs") == []
    assert bench.machine.counters.commits_ignored == 1
    assert bench.wait(60.0) == []


def test_our_own_commit_damaged_on_the_way_is_recovered_from(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.propose()
    assert bench.commit(1, 0, b"ourz") == []
    assert bench.wait(1.1) == [invalid(1), (PACKAGE, b"package 2")]


def test_who_lost_the_race_waits_for_the_welcome(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.propose()
    bench.commit(1, 0, b"theirs")
    assert bench.binary(WELCOME, welcome(1)) == [ready(1)]
    bench.execute(1)
    assert bench.wait(60.0) == []


def test_a_commit_of_an_old_epoch_is_ignored(bench: Bench) -> None:
    bench.member().commit(2, 7)
    assert bench.commit(3, 7) == bench.commit(4, 6, b"bad") == []
    assert bench.machine.counters.commits_ignored == 2
    assert bench.machine.counters.recoveries == 0


def test_commits_replayed_after_a_recovery_are_old_ones(bench: Bench) -> None:
    bench.member().commit(2, 7)
    bench.commit(3, 8, b"bad")
    bench.binary(WELCOME, welcome(4))  # which does not tell the epoch
    bench.say()
    assert bench.commit(2, 7) == []
    assert bench.machine.counters.recoveries == 1


def test_a_commit_for_a_foreign_group_is_ignored(bench: Bench) -> None:
    bench.member()
    assert bench.binary(COMMIT, commit(2, 7, channel=1)) == []
    assert bench.machine.counters.commits_ignored == 1


def test_what_the_library_ignores_is_no_failure(bench: Bench) -> None:
    bench.member()
    assert bench.commit(2, 7, b"ignored") == []
    assert bench.machine.counters.recoveries == 0


# -- op 30 -------------------------------------------------------------------------


def test_a_welcome_brings_us_in(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    assert bench.binary(WELCOME, welcome(5)) == [ready(5)]
    assert bench.machine.privacy_code is not None


def test_a_welcome_after_our_own_commit_lost(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.propose()
    assert bench.binary(WELCOME, welcome(5)) == [ready(5)]
    assert bench.commit(6, 0, b"ours") == []  # epoch 0 is long gone


def test_a_welcome_while_in_a_group_is_ignored(bench: Bench) -> None:
    bench.member()
    assert bench.binary(WELCOME, welcome(5)) == []
    assert bench.machine.counters.welcomes_ignored == 1


def test_a_welcome_with_an_unknown_member_waits_for_op_11(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.backend.needed = frozenset({12, 13})
    assert bench.binary(WELCOME, welcome(5)) == []
    assert bench.wait(0.9) == []
    bench.machine.users_joined((13,), bench.now)
    assert bench.say() == [ready(5)]
    assert bench.wait(60.0) == []
    assert bench.machine.counters.recoveries == 0


def test_a_welcome_that_stays_refused_is_recovered_from(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.binary(WELCOME, welcome(5, b"bad"))
    assert bench.wait(1.0) == [invalid(5), (PACKAGE, b"package 2")]


def test_the_epoch_is_told_by_a_library_that_knows_it(bench: Bench) -> None:
    bench.backend.tells_epoch = True
    assert bench.member().machine.epoch == 7


# -- op 24 -------------------------------------------------------------------------


def test_op_24_epoch_1_begins_anew(bench: Bench) -> None:
    bench.member()
    assert bench.prepare_epoch() == [(PACKAGE, b"package 2")]
    assert (bench.machine.privacy_code, bench.machine.members) == (None, ())


def test_op_24_with_another_epoch_only_announces(bench: Bench) -> None:
    bench.member()
    assert bench.prepare_epoch(epoch=5) == []
    assert bench.machine.privacy_code is not None
    assert bench.key() == b"1.7"


@pytest.mark.parametrize("version", [0, 2, 65535])
@pytest.mark.parametrize("epoch", [1, 5])
def test_op_24_with_an_impossible_version_is_refused(version: int, epoch: int) -> None:
    bench = Bench().member()
    assert bench.prepare_epoch(epoch, version) == []
    assert [type(event) for event in bench.events()] == [ProtocolViolation]
    bench.commit(2, 7)
    bench.execute(2)
    assert bench.machine.encrypted
    assert bench.machine.version == 1


# -- a resume ----------------------------------------------------------------------------


def test_who_is_in_no_group_after_a_resume_offers_itself_again(bench: Bench) -> None:
    bench.described().machine.resumed(0.0)
    assert bench.wait(0.9) == []
    assert bench.wait(0.2) == [(PACKAGE, b"package 2")]
    assert bench.wait(600.0) == []


def test_who_is_welcomed_by_the_replay_does_not(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.machine.resumed(0.0)
    bench.binary(WELCOME, welcome(1))
    assert bench.wait(600.0) == []


@pytest.mark.parametrize("version", [0, 1])
def test_members_and_clients_of_a_clear_call_resume_without_a_word(version: int) -> None:
    bench = Bench().member() if version else Bench().described(0)
    bench.machine.resumed(0.0)
    assert bench.wait(600.0) == []


# -- failures ------------------------------------------------------------------------


def test_a_failed_commit_is_told_and_begun_anew(bench: Bench) -> None:
    bench.member()
    assert bench.commit(2, 7, b"bad") == [invalid(2), (PACKAGE, b"package 2")]
    assert bench.events() == [DaveRecovering(2, "a commit could not be processed")]
    assert bench.backend.started[-1] == (1, CHANNEL, ME)


@pytest.mark.parametrize("op", [COMMIT, WELCOME])
def test_a_malformed_commit_or_welcome_is_recovered_from(bench: Bench, op: int) -> None:
    bench.member()
    assert bench.binary(op, b"\x00\x09") == [invalid(9), (PACKAGE, b"package 2")]


@pytest.mark.parametrize("op", [SENDER, PROPOSALS, COMMIT, WELCOME])
@pytest.mark.parametrize("payload", [b"", b"\x00", b"\xff"])
def test_a_stub_of_a_message_is_a_violation_and_no_more(
    bench: Bench, op: int, payload: bytes
) -> None:
    bench.member()
    assert bench.binary(op, payload) == []
    assert [type(event) for event in bench.events()] == [ProtocolViolation]
    assert bench.machine.counters.malformed == 1


def test_in_a_version_0_call_nothing_is_recovered(bench: Bench) -> None:
    bench.described(0)
    assert bench.binary(COMMIT, b"\x00\x09") == bench.binary(WELCOME, welcome(1)) == []
    assert bench.commit(2, 0) == []
    assert bench.machine.counters.recoveries == 0


def test_recovery_gives_up_with_one_event(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    for number in range(20):
        bench.binary(WELCOME, welcome(number, b"bad"))
        bench.wait(1.0)
    names = [type(event).__name__ for event in bench.events()]
    assert names == ["DaveRecovering"] * 5 + ["DaveFailed"]
    assert sum(op == INVALID for op, _ in bench.said) == 5
    assert bench.machine.counters.recoveries == 5


def test_a_failure_is_not_tried_again_later_by_itself(bench: Bench) -> None:
    test_recovery_gives_up_with_one_event(bench)
    bench.wait(120.0)
    assert bench.binary(WELCOME, welcome(1, b"bad")) == bench.wait(120.0) == []


def test_a_server_that_begins_anew_ends_a_failure(bench: Bench) -> None:
    test_recovery_gives_up_with_one_event(bench)
    bench.prepare_epoch()
    bench.binary(WELCOME, welcome(1))
    bench.execute(1)
    assert bench.machine.encrypted
    assert isinstance(bench.events()[-1], DaveTransition)


def test_recoveries_that_lie_far_apart_are_all_made(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    for number in range(12):
        bench.binary(WELCOME, welcome(number, b"bad"))
        bench.wait(10.0)
    assert bench.machine.counters.recoveries == 12
