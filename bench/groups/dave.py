"""End-to-end encryption: the two libraries bare, and what voicekit adds to each frame."""

from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import dave

from voicekit.dave.machine import DaveMachine

from ..in_session import DAVE_SSRC, PAYLOAD, Call
from ..options import Options
from ..results import Row
from ..rounds import Work, consuming, statement

__all__ = ["run"]

#: Encrypted frames that are there at a time.
MOST = 1024
CIPHER = "xchacha"  # everywhere to be had; it plays no part here


def run(options: Options) -> Iterator[Row]:
    """The bare call is the limit: neither library can be called without Python."""
    yield from _measured(options, "dave.py", _libdave())
    if find_spec("davey") is not None:
        yield from _measured(options, "davey", _davey())


def _measured(options: Options, library: str, work: dict[str, Work]) -> Iterator[Row]:
    found = options.measure(work, most=MOST)
    bare = f"the bare method of {library} {version(library)}, from Python"
    for name, ours, raw in (
        (f"a frame encrypted, {library}", "encrypt", "raw encrypt"),
        (f"a frame decrypted, {library}", "decrypt", "raw decrypt"),
    ):
        yield Row.timed("dave", name, found[ours], limit=found[raw], limit_name=bare)


def _ours(call: Call) -> dict[str, Work]:
    """What the connection calls for each frame."""
    sending, receiving = call.machines
    return {
        "encrypt": statement("encrypt(opus)", encrypt=sending.encrypt, opus=PAYLOAD),
        "decrypt": consuming(
            lambda n: [call.end_to_end(PAYLOAD) for _ in range(n)],
            "decrypt(user, item, now)",
            decrypt=receiving.decrypt,
            user=call.sender.info.user_id,
            now=call.now,
        ),
    }


def _libdave() -> dict[str, Work]:
    call = Call(CIPHER, dave=True)
    audio = dave.MediaType.audio
    return {
        **_ours(call),
        "raw encrypt": statement(
            "encrypt(audio, ssrc, opus)",
            encrypt=call.encryptor().encrypt,
            audio=audio,
            ssrc=DAVE_SSRC,
            opus=PAYLOAD,
        ),
        "raw decrypt": consuming(
            lambda n: [call.end_to_end(PAYLOAD) for _ in range(n)],
            "decrypt(audio, item)",
            decrypt=call.decryptor().decrypt,
            audio=audio,
        ),
    }


def _session(machine: DaveMachine) -> Any:
    """Return the session inside the backend over davey."""
    backend: Any = machine._backend
    return backend._session


def _davey() -> dict[str, Work]:
    import davey

    # Sessions hold their keys: the bare calls have a call of their own.
    call = Call(CIPHER, dave=True, library="davey")
    sending, receiving = map(_session, call.machines)
    return {
        **_ours(Call(CIPHER, dave=True, library="davey")),
        "raw encrypt": statement("encrypt(opus)", encrypt=sending.encrypt_opus, opus=PAYLOAD),
        "raw decrypt": consuming(
            lambda n: [call.end_to_end(PAYLOAD) for _ in range(n)],
            "decrypt(user, audio, item)",
            decrypt=receiving.decrypt,
            user=call.sender.info.user_id,
            audio=davey.MediaType.audio,
        ),
    }
