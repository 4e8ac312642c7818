"""The measured program: seals and opens packets, with a mark before and after each loop.

A script, run in the tree that PYTHONPATH names, natively or under callgrind. Base and head
are measured by this one file, so it calls what both have; a task that a tree lacks is left
out. Keys and everything else random are fixed: two runs of one tree do the same.

Each task loops twice, `FEW` and `MANY` times: the difference is packets and nothing else.
"""

import gc
import json
import os
from collections.abc import Callable, Iterator
from random import Random

from voicekit import Config, RtpSession, VoiceConnection, VoiceServerInfo
from voicekit.discovery import build_reply
from voicekit.outputs import OpenUdp, OpenWebSocket

#: Loop counts. Also how many calls come before them, so that freelists are full, the
#: interpreter has specialised its bytecode, and no first packet of a stream is counted.
FEW, MANY, WARM = 64, 256, 64
BATCH = 64
BATCH = 64

MODES = {"AES": "aead_aes256_gcm_rtpsize", "XChaCha20": "aead_xchacha20_poly1305_rtpsize"}
KEY = bytes(range(32))
OUR_SSRC, THEIR_SSRC = 1001, 2002
THEIR_USER = 80351110224678912
#: 160 bytes of Opus: TOC ``FC`` is CELT, full band, 20 ms, stereo, one frame.
OPUS = b"\xfc" + bytes(range(159))

#: Does once what is measured.
Call = Callable[[], object]


def session(mode: str, ssrc: int) -> RtpSession:
    made = RtpSession(ssrc, random=Random(1), sequence=1, timestamp=1)
    made.set_key(mode, KEY, nonce_start=0)
    return made


def connection(mode: str) -> VoiceConnection:
    """Return one that is in a call without end-to-end encryption, with one other user."""
    info = VoiceServerInfo(
        endpoint="ws://192.0.2.1:80",
        server_id=1,
        channel_id=2,
        user_id=3,
        session_id="session",
        token="token",
    )
    made = VoiceConnection(info, config=Config(), random=Random(1))

    def drained() -> list[object]:
        return list(iter(made.poll, None))

    def hear(op: int, data: object) -> list[object]:
        made.receive_text(websocket, json.dumps({"op": op, "d": data}), 0.0)
        return drained()

    made.start(0.0, wall=0.0)
    (websocket,) = (item.link for item in drained() if isinstance(item, OpenWebSocket))
    made.websocket_opened(websocket, 0.0)
    drained()
    hear(8, {"heartbeat_interval": 41250, "v": 8})
    ready = {"ssrc": OUR_SSRC, "ip": "192.0.2.1", "port": 50000, "modes": [mode]}
    (udp,) = (item.link for item in hear(2, ready) if isinstance(item, OpenUdp))
    made.udp_opened(udp, 0.0)
    drained()
    made.receive_datagram(udp, build_reply(OUR_SSRC, "198.51.100.1", 40000), 0.0)
    drained()
    hear(4, {"mode": mode, "secret_key": list(KEY), "dave_protocol_version": 0})
    hear(5, {"user_id": str(THEIR_USER), "ssrc": THEIR_SSRC, "speaking": 1})
    return made


def seal_session(mode: str) -> Call:
    seal = session(mode, OUR_SSRC).seal_audio
    return lambda: seal(OPUS, 0.0)


def open_session(mode: str) -> Call:
    opener = session(mode, OUR_SSRC)
    opener.map_ssrc(THEIR_SSRC, THEIR_USER, 0.0)
    receive, arriving = opener.receive, packets(mode)
    return lambda: receive(next(arriving), 0.0)


def seal_connection(mode: str) -> Call:
    seal = connection(mode).seal_audio
    return lambda: seal(OPUS, 0.0)


def open_connection(mode: str) -> Call:
    receive, arriving = connection(mode).open_datagram, packets(mode)
    return lambda: receive(next(arriving), 0.0)


def seal_batches(mode: str) -> Call:
    seal, frames = connection(mode).seal_many, [OPUS] * BATCH
    return lambda: seal(frames, 0.0)


def open_batches(mode: str) -> Call:
    receive, arriving = connection(mode).open_many, packets(mode)
    batches = iter(list(zip(*[arriving] * BATCH, strict=True)))
    return lambda: receive(next(batches), 0.0)


def packets(mode: str) -> Iterator[bytes]:
    """As many as a task takes, of the other user."""
    sealer = session(mode, THEIR_SSRC)
    return iter([sealer.seal(OPUS) for _ in range(WARM + FEW + MANY)])


#: What makes the call, and how many packets go into one.
TASKS: dict[str, tuple[Callable[[str], Call], int]] = {
    "RtpSession.seal_audio": (seal_session, 1),
    "RtpSession.receive": (open_session, 1),
    "VoiceConnection.seal_audio": (seal_connection, 1),
    "VoiceConnection.open_datagram": (open_connection, 1),
    "VoiceConnection.seal_many": (seal_batches, BATCH),
    "VoiceConnection.open_many": (open_batches, BATCH),
}


def spin(call: Call, times: int) -> None:
    for _ in range(times):
        call()


def main() -> None:
    """Print the tasks in the order of their marks: before few, before many, after many.

    A mark is `os.getppid`: a C function that nothing else calls, and that callgrind is told
    to dump its counts before.
    """
    gc.disable()
    names = []
    for name, (make, size) in TASKS.items():
        for cipher, mode in MODES.items():
            try:
                call = make(mode)
            except AttributeError:
                continue  # this tree has no such method
            spin(call, WARM // size)
            os.getppid()
            spin(call, FEW // size)
            os.getppid()
            spin(call, MANY // size)
            os.getppid()
            names.append(f"{name}, {cipher}")
    print(json.dumps({"packets": MANY - FEW, "tasks": names}))


if __name__ == "__main__":
    main()
