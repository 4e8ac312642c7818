"""A machine over a `FakeBackend`, and the few steps that most tests begin with."""

from tests.dave.fake_backend import (
    CHANNEL,
    EXTERNAL_SENDER,
    ME,
    FakeBackend,
    commit,
    proposals,
    welcome,
)
from voicekit.codes import Opcode
from voicekit.dave import DaveMachine
from voicekit.messages import DaveExecuteTransition, DavePrepareEpoch, DavePrepareTransition

OPUS = b"\xfc\x01\x02\x03 some opus"
SENDER, PROPOSALS = Opcode.MLS_EXTERNAL_SENDER, Opcode.MLS_PROPOSALS
COMMIT, WELCOME = Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION, Opcode.MLS_WELCOME
READY, PACKAGE = Opcode.DAVE_TRANSITION_READY, Opcode.MLS_KEY_PACKAGE
INVALID, ANSWER = Opcode.MLS_INVALID_COMMIT_WELCOME, Opcode.MLS_COMMIT_WELCOME


class Bench:
    """One machine, what it has said, and its clock."""

    def __init__(self, *, require_e2ee: bool = False) -> None:
        self.backend = FakeBackend()
        self.machine = DaveMachine(self.backend, require_e2ee=require_e2ee)
        self.now = 0.0
        self.said: list[tuple[int, object]] = []

    def described(self, version: int = 1) -> "Bench":
        """Take op 2 and op 4, with user 12 in the call."""
        self.machine.identifying()
        self.machine.users_joined((12,), self.now)
        self.machine.session_described(version, CHANNEL, ME, self.now)
        self.say()
        return self

    def member(self) -> "Bench":
        """Become a member by a welcome, encrypted under transition 1; the epoch is 7."""
        self.described().binary(SENDER, EXTERNAL_SENDER)
        self.binary(WELCOME, welcome(1))
        self.execute(1)
        self.say()
        self.events()
        assert self.machine.encrypted
        return self

    def binary(self, op: int, payload: bytes) -> list[tuple[int, object]]:
        self.machine.receive_binary(op, payload, self.now)
        return self.say()

    def commit(self, transition_id: int, epoch: int, body: bytes = b"") -> list[tuple[int, object]]:
        return self.binary(COMMIT, commit(transition_id, epoch, body))

    def propose(self, epoch: int = 0) -> list[tuple[int, object]]:
        return self.binary(PROPOSALS, proposals(epoch))

    def prepare_transition(self, transition_id: int, version: int) -> list[tuple[int, object]]:
        message = DavePrepareTransition(transition_id=transition_id, protocol_version=version)
        self.machine.receive_json(Opcode.DAVE_PREPARE_TRANSITION, message, self.now)
        return self.say()

    def prepare_epoch(self, epoch: int = 1, version: int = 1) -> list[tuple[int, object]]:
        message = DavePrepareEpoch(protocol_version=version, epoch=epoch)
        self.machine.receive_json(Opcode.DAVE_PREPARE_EPOCH, message, self.now)
        return self.say()

    def execute(self, transition_id: int) -> list[tuple[int, object]]:
        message = DaveExecuteTransition(transition_id=transition_id)
        self.machine.receive_json(Opcode.DAVE_EXECUTE_TRANSITION, message, self.now)
        return self.say()

    def say(self) -> list[tuple[int, object]]:
        """What the machine has to say since the last call."""
        fresh = []
        while (message := self.machine.poll()) is not None:
            fresh.append(message)
        self.said += fresh
        return fresh

    def events(self) -> list[object]:
        found: list[object] = []
        while (event := self.machine.poll_event()) is not None:
            found.append(event)
        return found

    def wait(self, seconds: float) -> list[tuple[int, object]]:
        """Let time pass through all timers."""
        end = self.now + seconds
        while (due := self.machine.next_timeout()) is not None and due <= end:
            assert due >= self.now or due >= 0
            self.now = max(self.now, due)
            self.machine.handle_timeout(self.now)
            after = self.machine.next_timeout()
            assert after is None or after > self.now, "a timer spins"
        self.now = end
        return self.say()

    def sent(self, opus: bytes = OPUS) -> bytes:
        """What goes out for an Opus packet."""
        frame = self.machine.encrypt(opus)
        assert frame is not None
        return frame

    def key(self) -> bytes:
        """The key that frames go out under; b"" for clear ones and silence."""
        frame = self.sent()
        return frame.split(b"|")[0] if b"|" in frame else b""


def ready(transition_id: int) -> tuple[int, object]:
    return READY, {"transition_id": transition_id}


def invalid(transition_id: int) -> tuple[int, object]:
    return INVALID, {"transition_id": transition_id}
