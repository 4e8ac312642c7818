"""Record a session to JSON lines, without its secrets, and play it back.

    with open("call.jsonl", "w") as file:
        connection = record(info, file)     # a VoiceConnection in every respect
        ...
    with open("call.jsonl") as file:
        assert replay(file) == []

Every line is one object. The first holds what the connection was made from; then come, in
the order in which they happened, calls (``call``, their arguments, ``returns``) and what
`poll` gave (``output`` or ``event``). Tokens, session ids, keys, addresses and host names
have stand-ins, see `voicekit.testing.mask`. User ids, numbers and the audio itself stay:
they are what a replay is about.

Replaying a session with end-to-end encryption needs a fake `DaveSession`: the randomness of
the DAVE libraries can not be replaced.
"""

import inspect
import json
import secrets
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, TextIO, cast

import msgspec

from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.dave import DaveSession
from voicekit.errors import VoicekitError
from voicekit.events import AudioFrame
from voicekit.outputs import Output
from voicekit.server_info import VoiceServerInfo
from voicekit.testing.mask import Mask

__all__ = ["Difference", "record", "replay"]

VERSION = 1

#: The mutators of a connection: what a transcript records and a replay calls.
INPUTS = frozenset(
    {
        "close",
        "handle_timeout",
        "open_datagram",
        "receive_binary",
        "receive_datagram",
        "receive_text",
        "seal_audio",
        "send_audio",
        "set_speaking",
        "start",
        "stop_audio",
        "udp_failed",
        "udp_opened",
        "update_voice_server",
        "update_voice_state",
        "websocket_closed",
        "websocket_failed",
        "websocket_opened",
    }
)
_DATAGRAM_CALLS = frozenset({"receive_datagram", "open_datagram", "seal_audio", "SendDatagram"})


class Difference(msgspec.Struct, frozen=True):
    """One line that a replay did not reproduce."""

    line: int  #: from 1
    recorded: Any
    replayed: Any


def record(
    info: VoiceServerInfo,
    file: TextIO,
    *,
    config: Config | None = None,
    dave: DaveSession | None = None,
    seed: int | None = None,
    make_connection: Callable[..., VoiceConnection] = VoiceConnection,
) -> VoiceConnection:
    """Make a connection that writes all it is told and all it says to ``file``.

    ``seed`` is of the connection's random numbers (start of sequence and timestamp,
    back-off); it stands in the transcript, so that a replay can repeat them.
    """
    config = config if config is not None else Config()
    seed = secrets.randbits(63) if seed is None else seed
    connection = make_connection(info, config=config, dave=dave, random=Random(seed))
    recorder = _Recorder(connection, file)
    recorder.begin(info, config, seed)
    return cast(VoiceConnection, recorder)


def replay(
    lines: Iterable[str],
    *,
    make_connection: Callable[..., VoiceConnection] = VoiceConnection,
    dave: DaveSession | None = None,
) -> list[Difference]:
    """Feed the calls of a transcript to a new connection; return what came out differently.

    Nonces are not compared. Needs the transport mode that was recorded: AES-256-GCM is
    not there on every CPU. Raises ``ValueError`` for what is not a transcript.
    """
    numbered = ((n, json.loads(line)) for n, line in enumerate(lines, 1) if line.strip())
    head: dict[str, Any] = next(numbered, (0, {}))[1]
    if head.get("voicekit") != "transcript" or head.get("version") != VERSION:
        raise ValueError(f"this is not a transcript of version {VERSION}")
    connection = make_connection(
        msgspec.convert(head["info"], VoiceServerInfo),
        config=msgspec.convert(head["config"], Config),
        dave=dave,
        random=Random(head["seed"]),
    )
    mask = Mask()  # learns the dummy keys, to open what was sealed under them
    differences = []
    line = 0
    for line, entry in numbered:
        if "call" in entry:
            recorded, replayed = entry.get("returns"), _repeat(connection, entry, mask)
        else:
            recorded, replayed = entry, _describe(connection.poll())
        if _comparable(recorded, mask) != _comparable(replayed, mask):
            differences.append(Difference(line, recorded, replayed))
    while (item := connection.poll()) is not None:
        differences.append(Difference(line + 1, None, _describe(item)))
    return differences


class _Recorder:
    """Stands in for a connection: passes everything on, writes down what goes through."""

    def __init__(self, connection: VoiceConnection, file: TextIO) -> None:
        self._connection = connection
        self._file = file
        self._mask = Mask()

    def begin(self, info: VoiceServerInfo, config: Config, seed: int) -> None:
        """Write the first line."""
        self._write(
            {
                "voicekit": "transcript",
                "version": VERSION,
                "info": self._mask.value(msgspec.structs.asdict(info)),
                "config": msgspec.to_builtins(config),
                "seed": seed,
            }
        )

    def poll(self) -> Any:
        """`VoiceConnection.poll`, written down."""
        item = self._connection.poll()
        described = _describe(item)
        if described is not None:
            self._write(self._masked(described))
        return item

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in INPUTS:
            return method
        signature = inspect.signature(method)

        def recorded(*args: Any, **kwargs: Any) -> Any:
            arguments = signature.bind(*args, **kwargs).arguments
            entry = {"call": name} | {key: _plain(arg) for key, arg in arguments.items()}
            # Masked before the call: the key in a message is needed for what it causes.
            entry = self._masked(entry)
            try:
                answer = method(*args, **kwargs)
            except VoicekitError as error:
                self._write(entry | {"returns": {"raises": type(error).__name__}})
                raise
            if answer is not None:
                returned = {"call": name, "data": _plain(answer)}
                entry["returns"] = self._masked(returned)["data"]
            self._write(entry)
            return answer

        self.__dict__[name] = recorded
        return recorded

    def _masked(self, entry: dict[str, Any]) -> dict[str, Any]:
        mask = self._mask
        kind = entry.get("call") or entry.get("output") or entry.get("event")
        masked: dict[str, Any] = {}
        for name, value in entry.items():
            if name == "text":
                masked[name] = mask.message(value)
            elif name == "raw":
                masked[name] = _hex(mask.message(_bytes(value).decode("utf-8", "replace")).encode())
            elif name == "data" and kind in _DATAGRAM_CALLS and _is_hex(value):
                masked[name] = _hex(mask.datagram(_bytes(value)))
            else:
                masked[name] = mask.value(value, name)
        return masked

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")


def _repeat(connection: VoiceConnection, entry: dict[str, Any], mask: Mask) -> Any:
    arguments = {
        name: _bytes(value) if _is_hex(value) else value
        for name, value in entry.items()
        if name not in ("call", "returns")
    }
    if isinstance(text := arguments.get("text"), str):
        mask.message(text)
    try:
        return _plain(getattr(connection, entry["call"])(**arguments))
    except VoicekitError as error:
        return {"raises": type(error).__name__}


def _describe(item: object) -> dict[str, Any] | None:
    """Return an output or event as JSON values, under the name of its class."""
    if item is None:
        return None
    kind = "output" if isinstance(item, Output) else "event"
    return {kind: type(item).__name__} | _fields(item)


def _fields(item: object) -> dict[str, Any]:
    names = getattr(item, "__struct_fields__", None) or _attributes(item)
    return {name: _plain(getattr(item, name)) for name in names}


def _attributes(item: object) -> list[str]:
    """Return the data attributes of an object that is not a Struct, such as AudioFrame."""
    names = [name for name in dir(item) if not name.startswith("_")]
    return [name for name in names if not callable(getattr(item, name))]


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON values; bytes become ``{"hex": ...}``."""
    match value:
        case bytes() | bytearray() | memoryview():
            return _hex(bytes(value))
        case bool() | int() | float() | str() | None:
            # Enums as the plain value that they are.
            return msgspec.to_builtins(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case BaseException():
            return {"error": type(value).__name__, "text": str(value)}
        case AudioFrame():
            return _describe(value)
        case _:
            return _fields(value)


def _comparable(value: Any, mask: Mask) -> Any:
    """Bring to one form what differs without a difference: JSON text, nonces, garbage."""
    if _is_hex(value):
        return mask.plain(_bytes(value))
    if isinstance(value, dict):
        value = {key: _comparable(item, mask) for key, item in value.items()}
        if value.get("what") == "json":
            # What is not JSON was masked down to its punctuation: it fails elsewhere.
            value.pop("why", None)
        return value
    if isinstance(value, list):
        return [_comparable(item, mask) for item in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _hex(data: bytes) -> dict[str, str]:
    return {"hex": data.hex()}


def _bytes(value: dict[str, str]) -> bytes:
    return bytes.fromhex(value["hex"])


def _is_hex(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"hex"}
