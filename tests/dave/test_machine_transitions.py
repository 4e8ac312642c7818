"""What follows from op 21 and 22, and what the keys do meanwhile: one rule a test."""

import pytest

from tests.dave.fake_backend import EXTERNAL_SENDER, commit, welcome
from tests.dave.machines import COMMIT, OPUS, SENDER, WELCOME, Bench, ready
from voicekit.codes import SILENCE_FRAME
from voicekit.dave.frames import MARKER
from voicekit.events import DaveTransition, E2eeWithheld


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- op 22 ---------------------------------------------------------------------------


def test_the_sending_key_changes_with_op_22_and_not_before(bench: Bench) -> None:
    bench.member().commit(2, 7)
    assert bench.key() == b"1.7"
    bench.execute(2)
    assert bench.key() == b"1.8"
    assert bench.events() == [DaveTransition(2, 1, 8)]


def test_receiving_keys_change_with_the_commit_and_not_later(bench: Bench) -> None:
    bench.member()
    before = bench.machine.generation
    bench.commit(2, 7)
    assert bench.machine.generation > before
    assert bench.backend.layers == [1, 2]


def test_transition_0_is_a_transition(bench: Bench) -> None:
    bench.member()
    assert bench.commit(0, 7) == []  # no op 23: nobody waits for it
    assert bench.key() == b"1.8"
    assert bench.events() == [DaveTransition(0, 1, 8)]


def test_a_welcome_under_transition_0_encrypts_at_once(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    assert bench.binary(WELCOME, welcome(0)) == []
    assert bench.machine.encrypted
    assert bench.key() == b"1.7"


def test_op_22_installs_the_key_of_its_own_transition(bench: Bench) -> None:
    bench.member()
    bench.commit(2, 7)
    bench.commit(3, 8)
    bench.execute(2)
    assert bench.key() == b"1.8"
    bench.execute(3)
    assert bench.key() == b"1.9"


def test_a_newer_transition_overtakes_the_older(bench: Bench) -> None:
    bench.member()
    bench.commit(2, 7)
    bench.commit(3, 8)
    bench.execute(3)
    bench.execute(2)
    assert bench.key() == b"1.9"
    assert bench.machine.counters.executes_ignored == 1


def test_op_22_of_an_unknown_transition_is_counted(bench: Bench) -> None:
    bench.member()
    assert bench.execute(77) == []
    assert bench.key() == b"1.7"
    assert bench.machine.counters.executes_ignored == 1


def test_an_op_22_twice_does_not_begin_a_key_twice(bench: Bench) -> None:
    bench.member().commit(2, 7)
    bench.execute(2)
    bench.execute(2)
    assert bench.machine.counters.transitions == 2  # 1 and 2


def test_a_reused_id_stands_for_its_last_announcement_and_place(bench: Bench) -> None:
    bench.member()
    bench.commit(2, 7)
    bench.commit(3, 8)
    bench.commit(2, 9)
    bench.execute(3)
    assert bench.key() == b"1.9"
    bench.execute(2)
    assert bench.key() == b"1.10"


def test_transitions_that_are_never_executed_do_not_fill_the_memory(bench: Bench) -> None:
    bench.member()
    for number in range(1000):
        bench.binary(COMMIT, commit(number + 2, 7 + number))
    assert len(bench.machine._transitions._pending) == 32
    assert len(bench.backend.layers) <= 65
    bench.execute(1001)
    assert bench.key() == b"1.1007"


def test_an_epoch_without_a_key_for_us_is_silence(bench: Bench) -> None:
    bench.member()
    bench.backend.no_send_key = True
    bench.commit(2, 7)
    bench.execute(2)
    assert bench.sent() == SILENCE_FRAME
    assert bench.machine.counters.silenced == 1


# -- an op 22 that gets lost ---------------------------------------------------------------


def test_a_new_key_is_taken_without_an_op_22_that_does_not_come(bench: Bench) -> None:
    bench.member().commit(2, 7)
    bench.wait(4.9)
    assert bench.key() == b"1.7"
    bench.wait(0.2)
    assert bench.key() == b"1.8"
    assert bench.machine.counters.executes_missed == 1
    assert bench.events() == [DaveTransition(2, 1, 8)]
    assert bench.execute(2) == []


def test_the_newest_overdue_key_is_taken(bench: Bench) -> None:
    bench.member().commit(2, 7)
    bench.commit(3, 8)
    bench.wait(10.0)
    assert bench.key() == b"1.9"


def test_a_downgrade_is_never_taken_without_its_op_22(bench: Bench) -> None:
    bench.member().prepare_transition(5, 0)
    bench.wait(600.0)
    assert bench.key() == b"1.7"


# -- old keys ------------------------------------------------------------------------------


def test_old_receiving_keys_live_on_for_ten_seconds(bench: Bench) -> None:
    bench.member().wait(60.0)
    bench.commit(2, 7)
    bench.wait(4.0)
    bench.execute(2)
    bench.wait(9.9)
    assert bench.backend.layers == [1, 2]
    bench.wait(0.2)
    assert bench.backend.layers == [2]


def test_each_transition_has_ten_seconds_of_its_own(bench: Bench) -> None:
    bench.member().wait(60.0)
    for number in range(4):
        bench.commit(2 + number, 7 + number)
        bench.execute(2 + number)
        bench.wait(4.0)
    assert bench.backend.layers == [3, 4, 5]
    bench.wait(4.0)
    assert bench.backend.layers == [4, 5]


def test_keys_that_are_not_in_use_yet_do_not_push_out_those_that_are(bench: Bench) -> None:
    bench.member().commit(2, 7)
    bench.execute(2)
    bench.wait(9.5)
    bench.commit(3, 8)
    bench.wait(1.0)
    assert bench.backend.layers == [2, 3]


# -- downgrade and upgrade -------------------------------------------------------------------


def test_a_downgrade_takes_effect_with_its_op_22(bench: Bench) -> None:
    bench.member()
    assert bench.prepare_transition(5, 0) == [ready(5)]
    assert bench.machine.encrypted
    assert bench.machine.decrypt(12, OPUS, bench.now) is OPUS
    bench.execute(5)
    assert bench.sent() is OPUS
    assert bench.machine.version == 0
    assert bench.events() == [DaveTransition(5, 0, None)]


def test_a_downgrade_with_id_0_takes_effect_at_once(bench: Bench) -> None:
    bench.member()
    assert bench.prepare_transition(0, 0) == []
    assert bench.sent() is OPUS


def test_ciphertext_after_a_downgrade_is_not_taken_for_opus(bench: Bench) -> None:
    bench.member().prepare_transition(5, 0)
    bench.execute(5)
    assert bench.machine.decrypt(12, b"garbage" + MARKER, bench.now) is None
    assert bench.machine.decrypt(12, b"1.7|late" + MARKER, bench.now) == b"late"
    bench.wait(10.1)
    assert bench.machine.decrypt(12, OPUS + MARKER, bench.now) == OPUS + MARKER
    assert bench.backend.layers == []


def test_an_upgrade_encrypts_with_its_op_22(bench: Bench) -> None:
    bench.member().prepare_transition(5, 0)
    bench.execute(5)
    bench.prepare_epoch()
    assert bench.sent() is OPUS
    bench.binary(WELCOME, welcome(6))
    assert bench.sent() is OPUS
    bench.execute(6)
    assert bench.key() == b"2.7"


def test_clear_frames_are_taken_until_ten_seconds_after_an_upgrade(bench: Bench) -> None:
    bench.described().binary(SENDER, EXTERNAL_SENDER)
    bench.binary(WELCOME, welcome(1))
    bench.wait(4.0)
    assert bench.machine.decrypt(12, OPUS, bench.now) is OPUS
    bench.execute(1)
    bench.wait(9.9)
    assert bench.machine.decrypt(12, OPUS, bench.now) is OPUS
    bench.wait(0.2)
    assert bench.machine.decrypt(12, OPUS, bench.now) is None
    assert bench.machine.decrypt(12, SILENCE_FRAME, bench.now) == SILENCE_FRAME


def test_an_upgrade_that_begins_before_the_keys_expire_keeps_ciphertext_out(bench: Bench) -> None:
    bench.member().prepare_transition(5, 0)
    bench.execute(5)
    bench.wait(8.0)
    bench.prepare_epoch()
    bench.wait(5.0)
    assert bench.machine.decrypt(12, b"garbage" + MARKER, bench.now) is None


def test_a_downgrade_that_an_epoch_overtakes_does_not_happen(bench: Bench) -> None:
    bench.member().prepare_transition(5, 0)
    bench.commit(6, 7)
    bench.execute(6)
    bench.execute(5)
    assert bench.key() == b"1.8"


def test_an_epoch_after_a_downgrade_that_was_pending_with_it(bench: Bench) -> None:
    bench.member().prepare_transition(5, 0)
    bench.commit(6, 7)
    bench.execute(5)
    assert bench.sent() is OPUS
    bench.execute(6)
    assert bench.key() == b"1.8"
    bench.commit(7, 8)
    bench.execute(7)
    assert bench.key() == b"1.9"


def test_a_downgrade_and_an_upgrade_in_one_go(bench: Bench) -> None:
    bench.member().prepare_transition(5, 0)
    bench.prepare_epoch()
    bench.binary(WELCOME, welcome(6))
    bench.execute(5)  # announced, and not withdrawn
    assert bench.sent() is OPUS
    bench.execute(6)
    assert bench.key() == b"2.7"
    bench.commit(7, 7)
    bench.execute(7)
    assert bench.key() == b"2.8"


def test_clear_frames_are_taken_for_as_long_as_a_downgrade_is_pending(bench: Bench) -> None:
    bench.member().wait(60.0)
    bench.commit(4, 7)
    bench.prepare_transition(5, 0)
    bench.execute(4)
    bench.wait(20.0)
    assert bench.machine.decrypt(12, OPUS, bench.now) is OPUS


def test_op_21_of_the_version_in_force_is_answered_and_changes_nothing(bench: Bench) -> None:
    bench.member()
    assert bench.prepare_transition(5, 1) == [ready(5)]
    bench.execute(5)
    assert bench.key() == b"1.7"


def test_op_21_for_an_epoch_that_is_pending_is_not_answered_twice(bench: Bench) -> None:
    bench.member().commit(2, 7)
    assert bench.prepare_transition(2, 1) == []
    bench.execute(2)
    assert bench.key() == b"1.8"


def test_op_21_before_the_first_epoch_is_answered(bench: Bench) -> None:
    assert bench.described().prepare_transition(5, 1) == [ready(5)]
    assert bench.prepare_transition(0, 1) == []


def test_op_21_with_an_impossible_version_is_refused(bench: Bench) -> None:
    bench.member()
    assert bench.prepare_transition(5, 2) == []
    assert bench.machine.counters.malformed == 1


# -- the sole member -----------------------------------------------------------------------------


def test_the_sole_member_sends_silence_until_somebody_comes(bench: Bench) -> None:
    bench.member().prepare_epoch()
    bench.prepare_transition(0, 1)
    assert bench.sent() == SILENCE_FRAME
    bench.binary(WELCOME, welcome(6))
    assert bench.sent() == SILENCE_FRAME
    bench.execute(6)
    assert bench.key() == b"2.7"


def test_a_transition_of_the_group_that_was_left_is_void_for_the_sole_member(bench: Bench) -> None:
    bench.member().commit(2, 7)
    bench.prepare_epoch()
    bench.prepare_transition(0, 1)
    bench.execute(2)
    assert bench.sent() == SILENCE_FRAME


def test_a_sole_member_from_the_beginning_sends_in_clear(bench: Bench) -> None:
    bench.described()
    bench.prepare_epoch()
    bench.prepare_transition(0, 1)
    assert bench.sent() is OPUS


# -- a group made anew ---------------------------------------------------------------------------


def test_after_a_failure_the_old_key_serves_until_the_others_leave_it(bench: Bench) -> None:
    bench.member().commit(2, 7, b"bad")
    assert bench.key() == b"1.7"
    bench.execute(2)
    assert bench.sent() == SILENCE_FRAME


def test_after_a_failure_the_old_key_serves_two_seconds_at_most(bench: Bench) -> None:
    bench.member().commit(2, 7, b"bad")
    bench.wait(1.9)
    assert bench.key() == b"1.7"
    bench.wait(0.2)
    assert bench.sent() == SILENCE_FRAME


def test_after_a_failure_nobody_who_leaves_goes_on_to_hear_us(bench: Bench) -> None:
    bench.member().commit(2, 7, b"bad")
    bench.machine.user_left(13, bench.now)
    assert bench.key() == b"1.7"
    bench.machine.user_left(12, bench.now)
    assert bench.sent() == SILENCE_FRAME


def test_a_transition_before_the_failure_is_still_followed(bench: Bench) -> None:
    bench.member().commit(2, 7)
    bench.commit(3, 8, b"bad")
    bench.execute(2)
    assert bench.key() == b"1.8"
    bench.execute(3)
    assert bench.sent() == SILENCE_FRAME


def test_the_new_group_ends_the_silence(bench: Bench) -> None:
    bench.member().commit(2, 7, b"bad")
    bench.wait(5.0)
    bench.binary(WELCOME, welcome(3))
    bench.execute(3)
    assert bench.key() == b"2.7"
    bench.wait(60.0)
    assert bench.key() == b"2.7"


def test_giving_up_ends_in_silence(bench: Bench) -> None:
    bench.member()
    for _number in range(6):
        bench.binary(WELCOME, welcome(2, b"bad"))
        bench.commit(2, 7, b"bad")
        bench.wait(1.5)
    bench.wait(3.0)
    assert bench.sent() == SILENCE_FRAME


# -- require_e2ee ------------------------------------------------------------------------------


def test_require_e2ee_sends_silence_and_says_so_once() -> None:
    bench = Bench(require_e2ee=True).described(0)
    assert [bench.sent() for _ in range(3)] == [SILENCE_FRAME] * 3
    assert bench.events() == [E2eeWithheld()]
    assert bench.machine.counters.silenced == 3


def test_require_e2ee_holds_after_a_downgrade_and_says_so_again() -> None:
    bench = Bench(require_e2ee=True).described()
    assert bench.sent() == SILENCE_FRAME
    assert bench.events() == [E2eeWithheld()]
    bench.binary(SENDER, EXTERNAL_SENDER)
    bench.binary(WELCOME, welcome(1))
    bench.execute(1)
    assert bench.key() == b"1.7"
    bench.prepare_transition(0, 0)
    bench.events()
    assert bench.sent() == SILENCE_FRAME
    assert bench.events() == [E2eeWithheld()]
