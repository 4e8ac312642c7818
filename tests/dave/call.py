"""Machines and a delivery service, wired with queues: DAVE without gateway, RTP or sockets."""

from collections import deque
from collections.abc import Callable

from voicekit.codes import Opcode
from voicekit.dave import DaveBackend, DaveMachine, load_backend
from voicekit.messages import (
    BINARY_OPS,
    DaveExecuteTransition,
    DavePrepareEpoch,
    DavePrepareTransition,
)
from voicekit.server.delivery import Delivery

JSON_TYPES = {
    Opcode.DAVE_PREPARE_TRANSITION: DavePrepareTransition,
    Opcode.DAVE_EXECUTE_TRANSITION: DaveExecuteTransition,
    Opcode.DAVE_PREPARE_EPOCH: DavePrepareEpoch,
}


class Call:
    """One channel. Users join and leave; `settle` lets everything happen that will."""

    def __init__(self, backend: Callable[[int], str] = lambda user_id: "dave.py") -> None:
        self.channel_id = 4242
        self.delivery = Delivery(self.channel_id)
        self.machines: dict[int, DaveMachine] = {}
        self.queues: dict[int, deque[tuple[int, object]]] = {}
        self.events: dict[int, list[object]] = {}
        self.now = 0.0
        self._backend = backend
        self.identities: dict[int, bytes] = {}

    def make_backend(self, user_id: int) -> DaveBackend:
        return load_backend(self._backend(user_id), self.identities.get(user_id))

    def join(self, user_id: int, max_version: int = 1) -> DaveMachine | None:
        others = set(self.queues) | set(self.delivery.group)
        version = self.delivery.version_for(max_version)
        for other in self.machines:
            self.machines[other].users_joined((user_id,), self.now)
        self.queues[user_id] = deque()
        machine = None
        if max_version:
            machine = DaveMachine(self.make_backend(user_id))
            machine.users_joined(tuple(others), self.now)
            machine.session_described(version, self.channel_id, user_id, self.now)
            self.machines[user_id] = machine
            self.events[user_id] = []
        self.delivery.join(user_id, max_version, self.now)
        return machine

    def leave(self, user_id: int) -> DaveMachine | None:
        machine = self.machines.pop(user_id, None)
        del self.queues[user_id]
        for other in self.machines.values():
            other.user_left(user_id, self.now)
        self.delivery.leave(user_id, self.now)
        return machine

    def step(self) -> bool:
        """Deliver one message each way; False when nothing moved."""
        moved = False
        for user_id, op, payload in self.delivery:
            self.queues[user_id].append((op, payload))
            moved = True
        for user_id, machine in list(self.machines.items()):
            queue = self.queues[user_id]
            if queue:
                self.hand_over(machine, *queue.popleft())
                moved = True
            while (message := machine.poll()) is not None:
                op, payload = message
                if isinstance(payload, dict):
                    payload = payload["transition_id"]
                self.delivery.receive(user_id, op, payload, self.now)
                moved = True
            while (event := machine.poll_event()) is not None:
                self.events[user_id].append(event)
        return moved

    def hand_over(self, machine: DaveMachine, op: int, payload: object) -> None:
        if op in BINARY_OPS:
            assert isinstance(payload, bytes)
            machine.receive_binary(op, payload, self.now)
        else:
            assert isinstance(payload, dict)
            machine.receive_json(op, JSON_TYPES[Opcode(op)](**payload), self.now)

    def settle(self, patience: float = 12.0) -> None:
        """Run until nothing moves, through the timers that fall due within ``patience``."""
        until = self.now + patience
        for _ in range(100_000):
            if self.step():
                continue
            timers = [self.delivery.next_timeout()]
            timers += [machine.next_timeout() for machine in self.machines.values()]
            due = min((time for time in timers if time is not None), default=None)
            if due is None or due > until:
                return
            self.now = max(self.now, due)
            self.delivery.handle_timeout(self.now)
            for machine in self.machines.values():
                machine.handle_timeout(self.now)
        raise AssertionError("the call does not settle")

    def heard(self, speaker: int, listener: int, opus: bytes) -> bytes | None:
        frame = self.machines[speaker].encrypt(opus)
        assert frame is not None
        return self.machines[listener].decrypt(speaker, frame, self.now)

    def assert_everybody_hears_everybody(self) -> None:
        codes = {machine.privacy_code for machine in self.machines.values()}
        assert len(codes) == 1, codes
        for speaker, machine in self.machines.items():
            assert machine.encrypted, speaker
            frame = machine.encrypt(b"\xf8" + bytes([speaker & 0xFF]) * 60)
            for listener, other in self.machines.items():
                if listener != speaker:
                    assert frame is not None
                    opus = other.decrypt(speaker, frame, self.now)
                    assert opus == b"\xf8" + bytes([speaker & 0xFF]) * 60, (speaker, listener)
