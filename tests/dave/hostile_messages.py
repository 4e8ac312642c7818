"""Feed one machine damaged, reordered and misdirected messages; print what became of it.

    python -m tests.dave.hostile_messages dave.py|davey SEED COUNT

The delivery service signs some of them, so that they get past the signature into the MLS
library. A process of its own: a library that crashes takes its process along.
"""

import json
import sys
from random import Random

import msgspec

from tests.dave.call import Call
from voicekit.codes import Opcode
from voicekit.dave import load_backend
from voicekit.server.mls import encode_append, parse_key_package

BINARY = (
    Opcode.MLS_EXTERNAL_SENDER,
    Opcode.MLS_PROPOSALS,
    Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION,
    Opcode.MLS_WELCOME,
)


class Recorder(Call):
    """Keeps every genuine binary message."""

    def __init__(self, backend: str) -> None:
        super().__init__(lambda user_id: backend)
        self.genuine: dict[int, list[bytes]] = {op: [] for op in BINARY}

    def hand_over(self, machine: object, op: int, payload: object) -> None:
        if op in self.genuine:
            assert isinstance(payload, bytes)
            self.genuine[op].append(payload)
        super().hand_over(machine, op, payload)  # type: ignore[arg-type]


def damaged(message: bytes, random: Random) -> bytes:
    data = bytearray(message)
    at = random.randrange(len(data))
    match random.randrange(7):
        case 0:
            return random.randbytes(random.randrange(200))
        case 1:
            return bytes(data[:at])
        case 2:
            data[at] ^= 1 << random.randrange(8)
        case 3:
            data[at] = random.choice((0, 0xFF, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xC0))
        case 4:
            data[at:at] = random.randbytes(random.randrange(1, 8))
        case 5:
            del data[at : at + random.randrange(1, 8)]
        case 6:
            pass  # genuine, but out of place
    return bytes(data)


def signed(call: Call, random: Random) -> bytes:
    """Proposals with a good signature and a key package that is damaged, or foreign."""
    backend = load_backend("dave.py")
    backend.start(1, call.channel_id, random.choice((11, 12, 99)))
    raw = backend.key_package()
    assert raw is not None
    package = msgspec.structs.replace(parse_key_package(raw), raw=damaged(raw, random))
    delivery = call.delivery
    epoch = delivery.epoch or 0
    group_id = call.channel_id.to_bytes(8, "big")
    return encode_append([delivery._sender.propose_add(group_id, epoch, package)])


def main(backend: str, seed: int, count: int) -> None:
    random = Random(seed)
    call = Recorder(backend)
    for user_id in (11, 12, 13):
        call.join(user_id)
        call.settle()
    call.leave(13)
    call.settle()
    for number in range(count):
        machine = random.choice(list(call.machines.values()))
        if random.random() < 0.3:
            machine.receive_binary(Opcode.MLS_PROPOSALS, signed(call, random), call.now)
            continue
        kind = random.choice(BINARY)
        source = random.choice(call.genuine[kind])
        op = random.choice(BINARY) if random.random() < 0.3 else kind
        machine.receive_binary(op, damaged(source, random), call.now)
        if number % 20 == 0:
            call.settle(1.0)
            call.now += 5.0
            for each in call.machines.values():
                each.handle_timeout(call.now)
    # A fresh start, as a server would make one: all must be well again.
    for user_id in list(call.machines):
        call.leave(user_id)
    for user_id in (21, 22, 23):
        call.join(user_id)
    call.settle()
    call.assert_everybody_hears_everybody()
    print(json.dumps({"messages": count, "recovered": True}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
