"""The voice gateway's client state machine as data: states, inputs, transitions.

Theory of operation. A *link* is one WebSocket; a *session* is what the server remembers
of us from Ready on, and what survives a link. The upper row of the picture makes a
session, the lower row puts a new link under one that exists:

    IDLE -> DIALLING -> IDENTIFYING -> SELECTING -> DESCRIBING -> OPEN
               ^                                                  ^  |
          BACKING_OFF                                             |  v
                             RESUMING <- RESUME_DIALLING <- RESUME_BACKING_OFF

From each of them the call may fall to AWAITING_UPDATE (the host must bring a server),
AWAITING_SESSION (the host must leave and join again) or CLOSED. `voicekit._gateway` walks
these tables and nothing else; tests walk them row by row, and ``docs/gateway-states.md``
is generated from them.
"""

from enum import IntEnum, StrEnum

from .close_codes import ClosePolicy
from .codes import Opcode
from .messages import BINARY_OPS

__all__ = [
    "CONNECTED_STATES",
    "HANDSHAKE_STATES",
    "IDENTIFIED_STATES",
    "LINKED_STATES",
    "OPCODE_INPUTS",
    "POLICY_INPUTS",
    "SERVER_OPS",
    "SESSION_STATES",
    "STAGES",
    "TRANSITIONS",
    "GatewayInput",
    "GatewayState",
    "Reaction",
    "advice",
    "reaction",
]


class GatewayState(IntEnum):
    """Where a gateway connection stands."""

    IDLE = 0  #: `start` was not called yet
    DIALLING = 1  #: a WebSocket was asked for; Identify will follow
    IDENTIFYING = 2  #: Identify is out; Ready is awaited
    SELECTING = 3  #: Ready is here; the host finds its address, then selects the protocol
    DESCRIBING = 4  #: Select Protocol is out; Session Description is awaited
    OPEN = 5  #: the session stands
    BACKING_OFF = 6  #: pause before DIALLING again
    RESUME_BACKING_OFF = 7  #: link lost, session alive: pause before RESUME_DIALLING
    RESUME_DIALLING = 8  #: a WebSocket was asked for; Resume will follow
    RESUMING = 9  #: Resume is out; Resumed is awaited, replayed messages are taken
    AWAITING_UPDATE = 10  #: no server: the host must bring an update within the deadline
    AWAITING_SESSION = 11  #: no session: the host must leave and join within the deadline
    CLOSED = 12  #: over; nothing leads out


def advice(state: GatewayState) -> str:
    """Say what to do about a call that ``state`` does not allow."""
    return _ADVICE.get(state, "wait for the session to be ready")


_ADVICE = {
    GatewayState.IDLE: "call start first",
    GatewayState.AWAITING_UPDATE: "hand in the host's next VOICE_SERVER_UPDATE first",
    GatewayState.AWAITING_SESSION: "leave the channel, join again and hand in both events first",
    GatewayState.CLOSED: "this call is over, make another connection for the next one",
}


class GatewayInput(StrEnum):
    """What can move a gateway from one state to another."""

    # The application.
    START = "start() with an endpoint"
    START_WITHOUT_SERVER = "start() without an endpoint"
    SELECTED = "select_protocol()"
    RENEGOTIATE = "renegotiate()"
    CLOSE = "close() or fail()"
    # The host's own gateway.
    NEW_SERVER = "update with a new token or endpoint"
    SERVER_GONE = "update with a null endpoint"
    LATE_CHANNEL = "update of the channel after the token that belongs to it"
    REMOVED = "update with a null channel"
    EXPECTED_LEAVE = "null channel of the leave that was asked for"
    REJOINED = "both updates of a new session"
    # The WebSocket. The first three come from the close code's policy.
    OPENED = "WebSocket open"
    LOST = "link lost, policy resume"
    LOST_SESSION = "link lost, policy new_session"
    LOST_SERVER = "link lost, policy wait_for_update"
    LOST_FATALLY = "link lost, policy fatal"
    ATTEMPTS_SPENT = "link lost, no attempt left"
    # Messages that move the machine; for all others see `reaction`.
    IDENTIFIED = "op 2 Ready"
    DESCRIBED = "op 4 Session Description"
    RESUMED = "op 9 Resumed"
    # Timers.
    BACKOFF_OVER = "back-off over"
    CONNECT_TIMEOUT = "connect timeout"
    UPDATE_TIMEOUT = "update timeout"


_S = GatewayState
_I = GatewayInput

#: A session is being made.
HANDSHAKE_STATES = (_S.DIALLING, _S.IDENTIFYING, _S.SELECTING, _S.DESCRIBING)
#: A session stands, with or without a link: SSRC, key and counters are alive.
SESSION_STATES = (_S.OPEN, _S.RESUME_BACKING_OFF, _S.RESUME_DIALLING, _S.RESUMING)
#: Messages are exchanged.
CONNECTED_STATES = (_S.IDENTIFYING, _S.SELECTING, _S.DESCRIBING, _S.OPEN, _S.RESUMING)

_AWAITING = (_S.AWAITING_UPDATE, _S.AWAITING_SESSION)
_CONNECTING = (*HANDSHAKE_STATES, _S.BACKING_OFF)
_RUNNING = (*_CONNECTING, *SESSION_STATES)
#: A server knows us by the Identify that it was sent.
IDENTIFIED_STATES = (_S.IDENTIFYING, _S.SELECTING, _S.DESCRIBING, *SESSION_STATES)
#: There is a WebSocket, open or being dialled.
LINKED_STATES = (*HANDSHAKE_STATES, _S.OPEN, _S.RESUME_DIALLING, _S.RESUMING)

_ROWS: tuple[tuple[tuple[GatewayState, ...], GatewayInput, GatewayState], ...] = (
    # A session is made.
    ((_S.IDLE,), _I.START, _S.DIALLING),
    ((_S.IDLE,), _I.START_WITHOUT_SERVER, _S.AWAITING_UPDATE),
    ((_S.DIALLING,), _I.OPENED, _S.IDENTIFYING),
    ((_S.IDENTIFYING,), _I.IDENTIFIED, _S.SELECTING),
    ((_S.SELECTING,), _I.SELECTED, _S.DESCRIBING),
    ((_S.DESCRIBING,), _I.DESCRIBED, _S.OPEN),
    # Our address changed, or the server changes the key. Nobody knows whether servers
    # describe the session again on resume: either way it is taken.
    ((_S.OPEN,), _I.SELECTED, _S.OPEN),
    ((_S.OPEN,), _I.DESCRIBED, _S.OPEN),
    ((_S.RESUMING,), _I.DESCRIBED, _S.RESUMING),
    # The link is lost. Before the session stands there is nothing to resume.
    (HANDSHAKE_STATES, _I.LOST, _S.BACKING_OFF),
    (HANDSHAKE_STATES, _I.ATTEMPTS_SPENT, _S.CLOSED),
    ((_S.BACKING_OFF,), _I.BACKOFF_OVER, _S.DIALLING),
    ((_S.OPEN, _S.RESUME_DIALLING, _S.RESUMING), _I.LOST, _S.RESUME_BACKING_OFF),
    ((_S.RESUME_BACKING_OFF,), _I.BACKOFF_OVER, _S.RESUME_DIALLING),
    ((_S.RESUME_DIALLING,), _I.OPENED, _S.RESUMING),
    ((_S.RESUMING,), _I.RESUMED, _S.OPEN),
    ((_S.RESUME_DIALLING,), _I.ATTEMPTS_SPENT, _S.CLOSED),
    # The server is there but does not resume: that is a refusal.
    ((_S.RESUMING,), _I.ATTEMPTS_SPENT, _S.AWAITING_SESSION),
    (LINKED_STATES, _I.LOST_SESSION, _S.AWAITING_SESSION),
    (LINKED_STATES, _I.LOST_SERVER, _S.AWAITING_UPDATE),
    (LINKED_STATES, _I.LOST_FATALLY, _S.CLOSED),
    # The host's events.
    ((*_RUNNING, _S.AWAITING_UPDATE), _I.NEW_SERVER, _S.DIALLING),
    (_RUNNING, _I.SERVER_GONE, _S.AWAITING_UPDATE),
    (IDENTIFIED_STATES, _I.LATE_CHANNEL, _S.BACKING_OFF),
    ((*_RUNNING, _S.AWAITING_UPDATE), _I.REMOVED, _S.CLOSED),
    ((*_CONNECTING, *_AWAITING), _I.EXPECTED_LEAVE, _S.AWAITING_SESSION),
    ((_S.AWAITING_SESSION,), _I.REJOINED, _S.DIALLING),
    # The application.
    (SESSION_STATES, _I.RENEGOTIATE, _S.DIALLING),
    ((_S.IDLE, *_RUNNING, *_AWAITING), _I.CLOSE, _S.CLOSED),
    # Deadlines. A server that leaves a Resume unanswered refuses it.
    (_CONNECTING, _I.CONNECT_TIMEOUT, _S.CLOSED),
    ((_S.RESUME_BACKING_OFF, _S.RESUME_DIALLING), _I.CONNECT_TIMEOUT, _S.CLOSED),
    ((_S.RESUMING,), _I.CONNECT_TIMEOUT, _S.AWAITING_SESSION),
    (_AWAITING, _I.UPDATE_TIMEOUT, _S.CLOSED),
)

#: (state, input) to the next state. What has no row does not happen, or is a wrong call.
TRANSITIONS: dict[tuple[GatewayState, GatewayInput], GatewayState] = {
    (state, cause): target for states, cause, target in _ROWS for state in states
}

#: The input that a lost link is, by the policy of its close code.
POLICY_INPUTS = {
    ClosePolicy.RESUME: _I.LOST,
    ClosePolicy.NEW_SESSION: _I.LOST_SESSION,
    ClosePolicy.WAIT_FOR_UPDATE: _I.LOST_SERVER,
    ClosePolicy.FATAL: _I.LOST_FATALLY,
}

#: ``stage`` of the `ConnectFailed` that ends a call in this state.
STAGES = {
    _S.DIALLING: "websocket",
    _S.IDENTIFYING: "handshake",
    _S.SELECTING: "udp_discovery",
    _S.DESCRIBING: "handshake",
    _S.BACKING_OFF: "websocket",
    _S.RESUME_BACKING_OFF: "websocket",
    _S.RESUME_DIALLING: "websocket",
    _S.RESUMING: "handshake",
    _S.AWAITING_UPDATE: "update",
    _S.AWAITING_SESSION: "update",
}


class Reaction(StrEnum):
    """What a message of some opcode gets in some state."""

    IGNORE = "ignored, counted"  #: no link: it is late input of one that is gone
    TAKE = "taken"  #: acted on or reported; the state stays
    STEP = "step"  #: a row of `TRANSITIONS`
    REFUSE = "violation"  #: not the protocol: reported and counted, otherwise ignored
    UNKNOWN = "reported raw, counted"  #: an opcode that voicekit does not know


#: Opcodes that are an input of `TRANSITIONS`.
OPCODE_INPUTS = {
    Opcode.READY: _I.IDENTIFIED,
    Opcode.SESSION_DESCRIPTION: _I.DESCRIBED,
    Opcode.RESUMED: _I.RESUMED,
}

#: Opcodes that servers send at any time. Most may come before or after Session
#: Description, and all of them may be replayed before Resumed.
_ANY_TIME_OPS = frozenset(
    {
        Opcode.HEARTBEAT,
        Opcode.SPEAKING,
        Opcode.HEARTBEAT_ACK,
        Opcode.HELLO,
        Opcode.CLIENTS_CONNECT,
        Opcode.VIDEO,
        Opcode.CLIENT_DISCONNECT,
        Opcode.SESSION_UPDATE,
        Opcode.MEDIA_SINK_WANTS,
        Opcode.VOICE_BACKEND_VERSION,
        Opcode.CLIENT_FLAGS,
        Opcode.CLIENT_PLATFORM,
        Opcode.DAVE_PREPARE_TRANSITION,
        Opcode.DAVE_EXECUTE_TRANSITION,
        Opcode.DAVE_PREPARE_EPOCH,
        Opcode.MLS_EXTERNAL_SENDER,
        Opcode.MLS_PROPOSALS,
        Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION,
        Opcode.MLS_WELCOME,
    }
)

#: Everything that a server may send.
SERVER_OPS = frozenset({*_ANY_TIME_OPS, *OPCODE_INPUTS})

_KNOWN_OPS = frozenset(Opcode)


def reaction(state: GatewayState, op: int, binary: bool) -> Reaction:
    """Look up what a message gets. ``binary`` is the kind of WebSocket message it came in."""
    if state not in CONNECTED_STATES:
        return Reaction.IGNORE
    if op not in _KNOWN_OPS:
        return Reaction.UNKNOWN
    if op not in SERVER_OPS or binary is not (op in BINARY_OPS):
        return Reaction.REFUSE
    if op in _ANY_TIME_OPS:
        return Reaction.TAKE
    cause = OPCODE_INPUTS[Opcode(op)]
    return Reaction.STEP if (state, cause) in TRANSITIONS else Reaction.REFUSE
