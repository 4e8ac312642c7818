"""The gateway's JSON messages: numbers, and reading what a client sent."""

import json
from typing import Any

IDENTIFY, SELECT_PROTOCOL, READY, HEARTBEAT, SESSION_DESCRIPTION = 0, 1, 2, 3, 4
SPEAKING, HEARTBEAT_ACK, RESUME, HELLO, RESUMED = 5, 6, 7, 8, 9
CLIENTS_CONNECT, CLIENT_DISCONNECT, CLIENT_FLAGS, CLIENT_PLATFORM = 11, 13, 18, 20

PREPARE_TRANSITION, EXECUTE_TRANSITION, TRANSITION_READY, PREPARE_EPOCH = 21, 22, 23, 24
#: These six travel in binary messages.
EXTERNAL_SENDER, KEY_PACKAGE, PROPOSALS, COMMIT_WELCOME, ANNOUNCE_COMMIT, WELCOME = range(25, 31)
INVALID_COMMIT = 31

#: Taken and not answered: undocumented opcodes.
IGNORED = {12, 14, 15, 16, 32}
#: Sent with a sequence number and kept for a resume, as all binary messages are.
NUMBERED = {SPEAKING, CLIENTS_CONNECT, CLIENT_DISCONNECT, CLIENT_FLAGS, CLIENT_PLATFORM}
NUMBERED |= {PREPARE_TRANSITION, EXECUTE_TRANSITION, PREPARE_EPOCH}
#: The gateway versions that brought buffered resume, and channel ids in op 0 and 7.
BUFFERED, CHANNELS = 8, 9
VERSIONS = range(4, 10)

BAD_OPCODE, BAD_PAYLOAD, NOT_AUTHENTICATED, WRONG_TOKEN = 4001, 4002, 4003, 4004
ALREADY_AUTHENTICATED, SESSION_INVALID, SESSION_TIMEOUT = 4005, 4006, 4009
BAD_PROTOCOL, BAD_MODE, DAVE_REQUIRED, BAD_REQUEST = 4012, 4016, 4017, 4020
#: A client that closes with one of these has left.
LEAVING = {1000, 1001}
#: A session outlives these when the server closes with them, or the socket is lost.
RESUMABLE = {1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 4000, 4013, 4015}


class Refused(Exception):
    """Close with ``code``: what the client sent is not the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def encode(op: int, data: object, seq: int | None = None) -> str:
    """Build one message."""
    message = {"op": op, "d": data}
    if seq is not None:
        message["seq"] = seq
    return json.dumps(message)


def decode(message: str) -> tuple[int, Any]:
    """Return op and ``d``; raises `Refused`."""
    try:
        envelope = json.loads(message)
        return integer(envelope, "op"), envelope["d"]
    except (ValueError, KeyError, RecursionError):
        raise Refused(BAD_PAYLOAD, "Failed to decode payload.") from None


def integer(data: Any, name: str) -> int:
    """Return the integer member ``name`` of ``data``; raises `Refused`."""
    value = data.get(name) if isinstance(data, dict) else None
    if type(value) is not int:
        raise Refused(BAD_PAYLOAD, f"Bad {name}.")
    return value


def text(data: Any, name: str) -> str:
    """Return the string member ``name`` of ``data``; raises `Refused`."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str):
        raise Refused(BAD_PAYLOAD, f"Bad {name}.")
    return value


def snowflake(data: Any, name: str) -> int:
    """Return the id ``name`` of ``data``, a decimal string; raises `Refused`."""
    value = text(data, name)
    if not (value.isascii() and value.isdigit()):
        raise Refused(BAD_PAYLOAD, f"Bad {name}.")
    return int(value)


def heartbeat_ack(version: int, data: Any) -> str:
    """Answer a heartbeat: a bare nonce below version 8, an object from then on."""
    if version >= BUFFERED:
        return encode(HEARTBEAT_ACK, {"t": integer(data, "t")})
    if type(data) is not int:
        raise Refused(BAD_PAYLOAD, "Bad heartbeat.")
    return encode(HEARTBEAT_ACK, data)
