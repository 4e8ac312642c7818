"""Faults as text: what ``voicekit serve --fault`` and ``ServerConfig.faults`` take.

    KIND[:VALUE][,KEY=VALUE]...@SECONDS          close:4015@5    drop,user=1001@2.5

``@SECONDS`` counts from the moment a session is ready (its first op 4). Each fault strikes
each session once; ``user=ID`` strikes that user's sessions only. A resumed session is the
same session. `KINDS` is the whole table; docs/faults.md is held to it by a test.
"""

import math
from collections.abc import Callable
from enum import StrEnum

import msgspec

__all__ = [
    "DELIVERY_FAULTS",
    "KINDS",
    "MALFORMED",
    "Fault",
    "FaultKind",
    "Impairment",
    "parse_fault",
]

#: Raw messages that are not the protocol, by name. A client counts or ignores each.
MALFORMED: dict[str, Callable[[], str | bytes]] = {
    "json": lambda: '{"op": 5, "d"',
    "list": lambda: "[]",
    "no-op": lambda: '{"d": null}',
    "no-data": lambda: '{"op": 5}',
    "wrong-type": lambda: '{"op": 5, "d": {"speaking": "loud", "ssrc": [], "user_id": {}}}',
    "huge-number": lambda: '{"op": 8, "d": {"heartbeat_interval": 1e999}}',
    "deep": lambda: '{"op": 5, "d": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "large": lambda: '{"op": 5, "d": "' + "x" * (1 << 21) + '"}',
    "unknown-op": lambda: '{"op": 99, "d": {"unheard": "of"}}',
    "empty": lambda: b"",
    "short": lambda: b"\x00\x01",
    "unknown-binary": lambda: b"\x00\x01\x63",
}


class FaultKind(StrEnum):
    """What can be made to go wrong."""

    CLOSE = "close"
    DROP = "drop"
    STOP_ACKS = "stop-acks"
    ASK_HEARTBEAT = "ask-heartbeat"
    REFUSE_RESUME = "refuse-resume"
    MALFORMED = "malformed"
    REORDER = "reorder"
    DUPLICATE = "duplicate"
    NULL_ENDPOINT = "null-endpoint"
    MOVE = "move"
    KICK = "kick"
    NETWORK = "network"
    CORRUPT_PROPOSALS = "corrupt-proposals"
    CORRUPT_COMMIT = "corrupt-commit"
    CORRUPT_WELCOME = "corrupt-welcome"
    WRONG_EXTERNAL_SENDER = "wrong-external-sender"
    LATE_EXTERNAL_SENDER = "late-external-sender"
    GHOST_ADD = "ghost-add"
    DROP_EXECUTE = "drop-execute"
    DELAY_EXECUTE = "delay-execute"


class Impairment(msgspec.Struct, frozen=True, kw_only=True):
    """A bad network from the server to one client; see `voicekit.link.Link`."""

    loss: float = 0.0  #: probability
    duplicate: float = 0.0  #: probability
    reorder: float = 0.0  #: probability
    delay: float = 0.0  #: seconds
    jitter: float = 0.0  #: seconds

    def __post_init__(self) -> None:
        """Refuse what is no probability and no duration."""
        for name in ("loss", "duplicate", "reorder"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability from 0 to 1")
        for name in ("delay", "jitter"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is a finite number of seconds from 0 on")

    def __bool__(self) -> bool:
        return any(msgspec.structs.astuple(self))


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One scripted fault. ``value`` is what the kind's row of `KINDS` says."""

    kind: FaultKind
    at: float  #: seconds after the session is ready
    value: int | float | str | Impairment | None = None
    user_id: int | None = None  #: None: every session


class _Row(msgspec.Struct, frozen=True):
    value: str  #: how the value is written; in brackets: may be left out
    parse: Callable[[str], int | float | str]
    default: int | float | None  #: for a value left out
    effect: str


def _code(text: str) -> int:
    code = int(text)
    if not (code == 1000 or 3000 <= code <= 4999 or 1001 <= code <= 1014) or code in (
        1004,
        1005,
        1006,
    ):
        raise ValueError(f"{code} can not be sent as a close code")
    return code


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 1000:
        raise ValueError("a count is 1 to 1000")
    return count


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("seconds are a finite number from 0 on")
    return seconds


def _channel(text: str) -> int:
    channel = int(text)
    if not 0 < channel < 2**63:
        raise ValueError("a channel id is 1 to 2**63 - 1")
    return channel


def _malformed(text: str) -> str:
    if text not in MALFORMED:
        raise ValueError(f"malformed is one of {', '.join(MALFORMED)}")
    return text


def _nothing(text: str) -> str:
    raise ValueError("it takes no value")


_FOREVER = math.inf
_NO_VALUE = ("", _nothing, None)

KINDS: dict[FaultKind, _Row] = {
    FaultKind.CLOSE: _Row("CODE", _code, None, "Close the WebSocket with CODE."),
    FaultKind.DROP: _Row(*_NO_VALUE, "Drop the TCP connection without a close frame."),
    FaultKind.STOP_ACKS: _Row(
        "[SECONDS]", _seconds, _FOREVER, "Do not acknowledge heartbeats, for good or so long."
    ),
    FaultKind.ASK_HEARTBEAT: _Row(*_NO_VALUE, "Ask for a heartbeat (op 3), as servers may."),
    FaultKind.REFUSE_RESUME: _Row(
        "[COUNT]", _count, 1, "Refuse the next resumes with 4006; the session is lost."
    ),
    FaultKind.MALFORMED: _Row(
        "NAME", _malformed, None, "Send a message that is not the protocol: one of the names below."
    ),
    FaultKind.REORDER: _Row(
        "[COUNT]", _count, 2, "Send the next COUNT messages in reverse (within 0.5 s)."
    ),
    FaultKind.DUPLICATE: _Row("[COUNT]", _count, 1, "Send each of the next COUNT messages twice."),
    FaultKind.NULL_ENDPOINT: _Row(
        "[SECONDS]",
        _seconds,
        _FOREVER,
        "The host sends a voice server update with a null endpoint; SECONDS later a real one.",
    ),
    FaultKind.MOVE: _Row(
        "CHANNEL", _channel, None, "Move the user: close 4014, and the host sends both events."
    ),
    FaultKind.KICK: _Row(
        *_NO_VALUE, "Kick the user: close 4014, and the host sends a null channel."
    ),
    FaultKind.NETWORK: _Row(
        *_NO_VALUE,
        "Impair the way to the client from now on: loss, duplicate, reorder in percent;"
        " delay, jitter in milliseconds.",
    ),
    FaultKind.CORRUPT_PROPOSALS: _Row(
        "[COUNT]", _count, 1, "Flip a bit in the next DAVE proposals (op 27) to the client."
    ),
    FaultKind.CORRUPT_COMMIT: _Row(
        "[COUNT]", _count, 1, "Flip a bit in the next commits (op 29) to the client."
    ),
    FaultKind.CORRUPT_WELCOME: _Row(
        "[COUNT]", _count, 1, "Flip a bit in the next welcomes (op 30) to the client."
    ),
    FaultKind.WRONG_EXTERNAL_SENDER: _Row(
        "[COUNT]", _count, 1, "Send the key of somebody else as external sender (op 25)."
    ),
    FaultKind.LATE_EXTERNAL_SENDER: _Row(
        "[COUNT]", _count, 1, "Send op 25 after the next op 27 or 30 (or 2 s late)."
    ),
    FaultKind.GHOST_ADD: _Row(
        "[COUNT]", _count, 1, "With the next proposals, propose somebody whom no op 11 announced."
    ),
    FaultKind.DROP_EXECUTE: _Row("[COUNT]", _count, 1, "Do not send the next op 22."),
    FaultKind.DELAY_EXECUTE: _Row(
        "SECONDS", _seconds, None, "Send every op 22 to the client SECONDS late."
    ),
}

#: Faults of the DAVE delivery service, and their names there.
DELIVERY_FAULTS: dict[FaultKind, str] = {
    FaultKind.CORRUPT_PROPOSALS: "corrupt_proposals",
    FaultKind.CORRUPT_COMMIT: "corrupt_commits",
    FaultKind.CORRUPT_WELCOME: "corrupt_welcomes",
    FaultKind.WRONG_EXTERNAL_SENDER: "wrong_external_sender",
    FaultKind.LATE_EXTERNAL_SENDER: "late_external_sender",
    FaultKind.GHOST_ADD: "ghost_adds",
    FaultKind.DROP_EXECUTE: "drop_executes",
    FaultKind.DELAY_EXECUTE: "execute_delay",
}

#: Keys of ``network``, and what their numbers are multiplied by.
_IMPAIRMENTS = {"loss": 0.01, "duplicate": 0.01, "reorder": 0.01, "delay": 0.001, "jitter": 0.001}


def parse_fault(text: str) -> Fault:
    """Read one fault. Raises ``ValueError`` with a sentence that says what is wrong."""
    head, at_sign, at = text.rpartition("@")
    if not at_sign:
        raise ValueError(f"{text!r} lacks @SECONDS, such as close:4015@5")
    first, *options = head.split(",")
    name, colon, value = first.partition(":")
    try:
        kind = FaultKind(name)
    except ValueError:
        raise ValueError(f"{name!r} is no fault; there are {', '.join(FaultKind)}") from None
    row = KINDS[kind]
    try:
        parsed: int | float | str | Impairment | None = row.default
        if colon:
            parsed = row.parse(value)
        elif row.value and not row.value.startswith("["):
            raise ValueError(f"it needs a value: {name}:{row.value}")
        user_id, impairment = _parse_options(kind, options)
        if kind is FaultKind.NETWORK:
            parsed = impairment
        return Fault(kind=kind, at=_seconds(at), value=parsed, user_id=user_id)
    except ValueError as error:
        raise ValueError(f"fault {text!r}: {error}") from None


def _parse_options(kind: FaultKind, options: list[str]) -> tuple[int | None, Impairment]:
    user_id: int | None = None
    network: dict[str, float] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key == "user":
            user_id = int(value)
        elif kind is FaultKind.NETWORK and key in _IMPAIRMENTS:
            network[key] = float(value) * _IMPAIRMENTS[key]
        else:
            raise ValueError(f"there is no option {key!r}")
    return user_id, Impairment(**network)
