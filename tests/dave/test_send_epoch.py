"""The number that says what was done to a frame that waits to be sent."""

from collections.abc import Callable

import pytest

from voicekit.dave.frames import DaveCounters, FramePath
from voicekit.dave.transitions import Transition

from .fake_backend import FakeBackend

OPUS = b"\xf8opus"


class Witness:
    """Notes what `encrypt` answers at the moment of each bump."""

    def __init__(self, path: FramePath) -> None:
        self.path = path
        self.answers: list[bytes | None] = []

    def bump(self) -> None:
        self.answers.append(self.path.encrypt(OPUS))


def execute(path: FramePath, version: int, key: object = b"key") -> None:
    transition = Transition(version, key)
    path.execute(transition, is_present=True, downgrading=False, now=0.0)


def in_clear() -> FramePath:
    return FramePath(FakeBackend(), DaveCounters(), lambda event: None)


def encrypted() -> FramePath:
    path = in_clear()
    execute(path, 1, b"first")
    return path


def orphaned() -> FramePath:
    path = encrypted()
    path.orphan_key(0.0)
    return path


CHANGES: dict[str, tuple[Callable[[], FramePath], Callable[[FramePath], None]]] = {
    "upgrade": (in_clear, lambda path: execute(path, 1)),
    "new key": (encrypted, lambda path: execute(path, 1, b"second")),
    "no key": (encrypted, lambda path: execute(path, 1, None)),
    "downgrade": (encrypted, lambda path: execute(path, 0)),
    "sole member": (encrypted, lambda path: path.end_group()),
    "orphan dropped": (orphaned, lambda path: path.drop_orphaned_key()),
    "orphan expired": (orphaned, lambda path: path.handle_timeout(60.0)),
    "new session": (encrypted, lambda path: path.begin_session()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_bumped_before_what_is_sent_changes(name: str) -> None:
    make, change = CHANGES[name]
    path = make()
    before = path.encrypt(OPUS)
    witness = Witness(path)
    path.send_epoch = witness  # type: ignore[assignment]
    change(path)
    assert witness.answers == [before]
    assert path.encrypt(OPUS) != before


def test_what_changes_nothing_that_is_sent_does_not_bump_it() -> None:
    path = encrypted()
    now = path.send_epoch.current
    path.expect_encryption()
    path.orphan_key(0.0)
    path.add_keys()
    path.take_clear()
    path.handle_timeout(0.0)
    assert path.send_epoch.current == now
