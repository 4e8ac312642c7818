"""The client's side of the voice gateway, without I/O: `Gateway`.

It walks the tables of `voicekit.gateway_states`: `_move` is the only place that changes
the state, and a state that has no row for an input refuses it. Close codes come from
`voicekit.close_codes`, messages from `voicekit.messages`. What is here is what the tables
can not say: the outputs and events that go with a step, and the order of the host's
updates.
"""

cimport cython
from libc.math cimport INFINITY

from random import Random

from .close_codes import ClosePolicy, close_code, close_error
from .codes import Opcode
from .config import Config
from .errors import (
    AlreadyConnected,
    CallClosed,
    ConnectFailed,
    ConnectTimedOut,
    LocalProtocolError,
    NotConnected,
)
from .events import (
    Closed,
    MessageReceived,
    NeedNewSession,
    ProtocolViolation,
    Reconnecting,
    SessionResumed,
    UnknownMessage,
    UserJoined,
    WaitingForUpdate,
)
from .gateway_events import FORWARDED_OPS, MESSAGE_EVENTS, GatewayMessage
from .gateway_session import GatewaySession
from .gateway_states import (
    CONNECTED_STATES,
    HANDSHAKE_STATES,
    IDENTIFIED_STATES,
    LINKED_STATES,
    OPCODE_INPUTS,
    POLICY_INPUTS,
    SESSION_STATES,
    STAGES,
    TRANSITIONS,
    GatewayInput,
    GatewayState,
    Reaction,
    advice,
    reaction,
)
from .gateway_versions import heartbeat, identify, resume
from .heartbeat import Heartbeat
from .host_updates import HostUpdates
from .messages import (
    BadMessage,
    SelectedAddress,
    SelectProtocol,
    Speaking,
    decode_server_binary,
    decode_text,
    encode_client_binary,
    encode_text,
)
from .messages import Heartbeat as HeartbeatData
from .outputs import CloseWebSocket, OpenWebSocket, SendBinary, SendText
from .retries import Retries
from .server_info import require_id, require_text, websocket_url

__all__ = ["Gateway", "GatewayState"]

# Close codes of ours. 1000 ends the session on the server, anything else keeps it.
cdef int LEAVE = 1000
cdef int DROP = 4000

# Messages kept while the link is replaced; beyond it the oldest are lost.
cdef int MAX_KEPT = 256

cdef object IDLE = GatewayState.IDLE
cdef object IDENTIFYING = GatewayState.IDENTIFYING
cdef object SELECTING = GatewayState.SELECTING
cdef object DESCRIBING = GatewayState.DESCRIBING
cdef object OPEN = GatewayState.OPEN
cdef object BACKING_OFF = GatewayState.BACKING_OFF
cdef object AWAITING_UPDATE = GatewayState.AWAITING_UPDATE
cdef object AWAITING_SESSION = GatewayState.AWAITING_SESSION
cdef object CLOSED = GatewayState.CLOSED

# States in which a message can go out, and in which it goes out or is kept.
cdef tuple SENDING_STATES = (SELECTING, DESCRIBING, OPEN)
cdef tuple KEEPING_STATES = (*SENDING_STATES, *SESSION_STATES)
# States that wait for no session to come up.
cdef tuple SETTLED_STATES = (IDLE, OPEN, AWAITING_UPDATE, AWAITING_SESSION, CLOSED)

# Opcodes that are the machine's own to send.
cdef frozenset OWN_OPS = frozenset(
    (Opcode.IDENTIFY, Opcode.SELECT_PROTOCOL, Opcode.HEARTBEAT, Opcode.RESUME)
)


@cython.final
@cython.auto_pickle(False)
cdef class Gateway:
    """One voice gateway connection, from Identify to Closed, over as many WebSockets as it takes.

    After each call drain `poll` to None, then read `next_timeout`. `poll` gives outputs
    (`OpenWebSocket`, `SendText`, `SendBinary`, `CloseWebSocket`), the public events of
    `voicekit.events` and the machine events of `voicekit.gateway_events`. After
    `GatewayReady` find out your UDP address and call `select_protocol`; `GatewayDescribed`
    brings the key. A resume keeps SSRC and key; when they are gone, `ssrc` is None.

    Users are announced anew (`UserJoined`) in every new session.
    """

    def __init__(self, info, *, config=None, random=None, int max_dave_version=0):
        self._config = Config() if config is None else config
        self._updates = HostUpdates(info, self._config)
        random = Random() if random is None else random
        self._version = self._config.gateway_version
        self._max_dave_version = max_dave_version
        self._state = IDLE
        self._heartbeat = Heartbeat(self._config, random)
        self._retries = Retries(self._config, random)
        self._queue = []
        self._kept = []
        self._forget_session()
        for timer in range(TIMERS):
            self._timers[timer] = INFINITY

    def __repr__(self):
        return f"<Gateway {self._state.name} ssrc={self._session.ssrc} link={self._link}>"

    # -- getters ------------------------------------------------------------------

    @property
    def state(self):
        """Where the connection stands."""
        return self._state

    @property
    def info(self):
        """Where it connects to, with the host's updates worked in."""
        return self._updates.info

    @property
    def ssrc(self):
        """Our SSRC; None without a session."""
        return self._session.ssrc

    @property
    def users(self):
        """Who is in the call by op 11 and 13, without ourselves."""
        return self._session.users

    @property
    def seq(self):
        """Sequence number of the last message that had one; -1: none in this session."""
        return self._session.seq

    @property
    def latency(self):
        """Last heartbeat round trip in seconds; None until known."""
        return self._heartbeat.latency

    @property
    def average_latency(self):
        """Mean of the last 20 heartbeat round trips in seconds; None until known."""
        return self._heartbeat.average_latency

    @property
    def max_timer_lateness(self):
        """How late `handle_timeout` came at worst, in seconds."""
        return self._max_lateness

    def next_timeout(self):
        """Return when `handle_timeout` is due, on the caller's clock; None: never."""
        cdef double first = INFINITY
        for timer in range(TIMERS):
            first = min(first, self._timers[timer])
        return None if first == INFINITY else first

    def poll(self):
        """Return the next output or event; None when there is nothing more for now."""
        cdef object item
        if self._polled == len(self._queue):
            return None
        # One message may bring tens of thousands: what was polled is dropped at the end.
        item, self._queue[self._polled] = self._queue[self._polled], None
        self._polled += 1
        if self._polled == len(self._queue):
            self._queue.clear()
            self._polled = 0
        return item

    # -- the application ------------------------------------------------------------

    def start(self, double now):
        """Begin to connect. Raises `AlreadyConnected` the second time."""
        if self._state is not IDLE:
            what_to_do = (
                advice(self._state) if self._state is CLOSED
                else "it was started before, and one connection is for one call"
            )
            raise AlreadyConnected(
                f"start is not possible in state {self._state.name}: {what_to_do}"
            )
        if self._updates.info.endpoint is None:
            self._move(GatewayInput.START_WITHOUT_SERVER, now)
            self._queue.append(WaitingForUpdate(None, "there is no voice server yet"))
        else:
            self._begin_anew(GatewayInput.START, None, "", now)

    def close(self, double now):
        """Leave the call (close 1000). Nothing happens when it is over already."""
        self._finish(GatewayInput.CLOSE, 1000 if self._link else None, None, "we left", None, now)

    def close_with_code(self, int code, double now):
        """Close the WebSocket with ``code``, then act as if the server had sent it.

        1000 and 1001 leave the call; 4000, say, makes it resume. ``code`` is 1000, 1001
        or 3000 to 4999. Raises `NotConnected` without a WebSocket.
        """
        if code not in (1000, 1001) and not 3000 <= code <= 4999:
            raise ValueError(f"a client can not close with {code}: 1000, 1001 or 3000 to 4999")
        if not self._link:
            raise NotConnected(
                f"close_with_code: no WebSocket in state {self._state.name}: {advice(self._state)}"
            )
        self._close_link(code)
        if code in (1000, 1001):
            self._finish(GatewayInput.CLOSE, code, None, "we left", None, now)
        else:
            self._lost(code, "", f"closed by close_with_code({code})", now)

    def fail(self, error, double now):
        """Give up because of ``error``, a `VoicekitError` that `Closed` will carry."""
        self._finish(GatewayInput.CLOSE, None, None, str(error), error, now)

    def renegotiate(self, str why not None, double now):
        """Drop the session and identify anew on the same server, say for a fresh key.

        Raises `NotConnected` where there is no session.
        """
        self._require(SESSION_STATES, "renegotiate")
        self._begin_anew(GatewayInput.RENEGOTIATE, ClosePolicy.RESUME, why, now)

    def select_protocol(self, str address not None, int port, str mode not None, double now):
        """Tell the server where our audio comes from, and which encryption we choose.

        After `GatewayReady`; again in an open session when the address changed.
        """
        self._require((SELECTING, OPEN), "select_protocol")
        if mode not in self._session.modes:
            raise LocalProtocolError(f"select_protocol: the server does not offer {mode!r}")
        self._move(GatewayInput.SELECTED, now)
        self._session.asked_mode = mode
        chosen = SelectProtocol("udp", SelectedAddress(address, port, mode))
        self._transmit(encode_text(Opcode.SELECT_PROTOCOL, chosen))

    def set_speaking(self, int flags, double now):
        """Send op 5 with `SpeakingFlags`. While the link is replaced it is kept."""
        self._require(SESSION_STATES, "set_speaking")
        self._transmit(encode_text(Opcode.SPEAKING, Speaking(flags, self._session.ssrc, delay=0)))

    def send(self, int op, data, double now):
        """Send a text message: ``data`` is a struct of `voicekit.messages` or plain JSON.

        While the link is replaced it is kept, and sent once the session is resumed.
        """
        if op in OWN_OPS:
            raise LocalProtocolError(f"send: op {op} is sent by the connection itself")
        self._require(KEEPING_STATES, "send")
        self._transmit(encode_text(op, data))

    def send_binary(self, int op, bytes payload not None, double now):
        """Send a binary message. While the link is replaced it is kept, as by `send`."""
        self._require(KEEPING_STATES, "send_binary")
        self._transmit(encode_client_binary(op, payload))

    # -- the host's own gateway -------------------------------------------------------

    def update_voice_state(self, channel_id, session_id, double now):
        """Take our VOICE_STATE_UPDATE; None for the channel means that we are out of it.

        An update that changes nothing does nothing. Any state: the host can not know ours.
        """
        if channel_id is not None:
            require_id("channel_id", channel_id)
        require_text("session_id", session_id)
        if self._state is CLOSED:
            self.ignored += 1
            return
        dave = self._session.dave_version > 0
        cause = self._updates.take_state(channel_id, session_id, self._state, dave, now)
        self._apply_update(cause, now)

    def update_voice_server(self, token, endpoint, double now):
        """Take a VOICE_SERVER_UPDATE; None for the endpoint means that the server is gone.

        An update that changes nothing does nothing. Any state: the host can not know ours.
        """
        require_text("token", token)
        if endpoint is not None:
            require_text("endpoint", endpoint)
        if self._state is CLOSED:
            self.ignored += 1
            return
        cause = self._updates.take_server(token, endpoint, self._state, now)
        self._apply_update(cause, now)

    cdef int _apply_update(self, object cause, double now) except -1:
        if cause is GatewayInput.NEW_SERVER:
            why = "the host brought another voice server or token"
            self._begin_anew(cause, ClosePolicy.WAIT_FOR_UPDATE, why, now)
        elif cause is GatewayInput.REJOINED:
            self._begin_anew(cause, None, "", now)
        elif cause is GatewayInput.LATE_CHANNEL:
            self._close_link(LEAVE)
            self._retries.reset()
            self._timers[CONNECT_TIMER] = INFINITY
            self._move(cause, now)
            why = "the channel changed after the token that belongs to it"
            self._pause(ClosePolicy.WAIT_FOR_UPDATE, None, why, now)
        elif cause is GatewayInput.SERVER_GONE:
            if self._move(cause, now):
                self._waiting_code = None
                self._queue.append(WaitingForUpdate(None, "the voice server went away"))
        elif cause is GatewayInput.EXPECTED_LEAVE:
            self._move(cause, now)  # which allows the host as long again for the join
        elif cause is GatewayInput.REMOVED:
            code = self._waiting_code if self._state is AWAITING_UPDATE else None
            why = "out of the channel: kicked, or the host left"
            error = CallClosed(why, code)
            self._finish(cause, code, ClosePolicy.WAIT_FOR_UPDATE, why, error, now)
        return 0

    # -- the WebSocket --------------------------------------------------------------

    def websocket_opened(self, long long link, double now):
        """Say that the WebSocket asked for by ``OpenWebSocket(link)`` is open."""
        if not self._is_current(link):
            return
        if not self._move(GatewayInput.OPENED, now):
            raise LocalProtocolError(f"websocket_opened: link {link} is open already")
        # A link on which no Hello comes would never be noticed to be dead.
        self._timers[HEARTBEAT_TIMER] = now + self._config.connect_timeout
        if self._state is IDENTIFYING:
            text = identify(self._version, self._updates.info, self._max_dave_version)
        else:
            text = resume(self._version, self._updates.info, self._session.seq)
        self._queue.append(SendText(self._link, text))

    def websocket_failed(self, long long link, str why not None, double now):
        """Say that it could not be opened."""
        if self._is_current(link):
            self._link = 0
            self._lost(None, "", f"the WebSocket could not be opened: {why}", now)

    def websocket_closed(self, long long link, code, str reason not None, double now):
        """Say that it was closed or lost. ``code`` is None where there was no close frame."""
        if self._is_current(link):
            self._link = 0
            why = close_code(code).description
            if code is not None:
                why += f" ({code})"
            if reason:
                why += f": {reason!r}"
            self._lost(code, reason, why, now)

    def receive_text(self, long long link, str text not None, double now):
        """Take one text message. Whatever it holds, it raises nothing."""
        if self._is_receiving(link):
            try:
                self._receive(decode_text(text, self._config.max_message_size), False, now)
            except BadMessage as error:
                self._violated(error, now)

    def receive_binary(self, long long link, data, double now):
        """Take one binary message, any bytes-like object. It raises nothing either."""
        if self._is_receiving(link):
            octets = data if isinstance(data, bytes) else memoryview(data).cast("B")
            try:
                message = decode_server_binary(octets, self._config.max_message_size)
                self._receive(message, True, now)
            except BadMessage as error:
                self._violated(error, now)

    # -- time -----------------------------------------------------------------------

    def handle_timeout(self, double now):
        """Do what is due at ``now``. Too early does nothing; late is no harm."""
        cdef double late
        for timer in range(TIMERS):
            late = now - self._timers[timer]
            if late >= 0:
                self._timers[timer] = INFINITY
                self._max_lateness = max(self._max_lateness, late)
                self._time_out(timer, late, now)

    cdef int _time_out(self, int timer, double late, double now) except -1:
        state = self._state
        stage = STAGES.get(state, "")
        tries = self._retries.dials
        if timer == CONNECT_TIMER:
            self._move(GatewayInput.CONNECT_TIMEOUT, now)
            why = f"no session after {self._config.connect_timeout:g} s, stopped at {stage}"
            if self._state is AWAITING_SESSION:
                self._need_new_session(None, why)
            else:
                self._conclude(None, None, why, ConnectTimedOut(why, stage, tries))
        elif timer == UPDATE_TIMER:
            policy = (
                ClosePolicy.WAIT_FOR_UPDATE if state is AWAITING_UPDATE
                else ClosePolicy.NEW_SESSION
            )
            self._move(GatewayInput.UPDATE_TIMEOUT, now)
            why = f"the host brought no update within {self._config.update_timeout:g} s"
            self._conclude(self._waiting_code, policy, why, ConnectTimedOut(why, stage, tries))
        elif timer == BACKOFF_TIMER:
            self._move(GatewayInput.BACKOFF_OVER, now)
            self._open_link()
        elif self._heartbeat.is_dead(late):
            why = (
                "no Hello came" if self._heartbeat.interval is None
                else f"{self._heartbeat.missed} heartbeats without an ACK"
            )
            self._close_link(DROP)
            self._lost(DROP, "", why, now)
        else:
            self._beat(False, now)

    cdef int _beat(self, bint asked, double now) except -1:
        nonce = self._heartbeat.beat(now, asked)
        self._queue.append(SendText(self._link, heartbeat(self._version, nonce, self._session.seq)))
        if self._heartbeat.interval is not None:
            self._timers[HEARTBEAT_TIMER] = now + self._heartbeat.interval
        return 0

    # -- steps ----------------------------------------------------------------------

    cdef int _require(self, tuple states, str call) except -1:
        if self._state not in states:
            raise NotConnected(
                f"{call} is not possible in state {self._state.name}: {advice(self._state)}"
            )
        return 0

    cdef bint _move(self, object cause, double now) except -1:
        """Walk one row of the table, to the same state too; False where there is none."""
        state = TRANSITIONS.get((self._state, cause))
        if state is None:
            return False
        self._state = state
        if state not in LINKED_STATES:
            self._close_link(LEAVE)
        if state not in IDENTIFIED_STATES:
            self._forget_session()
        self._timers[BACKOFF_TIMER] = INFINITY
        self._timers[UPDATE_TIMER] = INFINITY
        if state is AWAITING_UPDATE or state is AWAITING_SESSION:
            self._timers[UPDATE_TIMER] = now + self._config.update_timeout
        if state in SETTLED_STATES:
            self._timers[CONNECT_TIMER] = INFINITY
        elif self._timers[CONNECT_TIMER] == INFINITY:
            self._timers[CONNECT_TIMER] = now + self._config.connect_timeout
        if state is OPEN:
            self._retries.reset()
            self._updates.session_opened()
        return True

    cdef int _forget_session(self) except -1:
        user_id = self._updates.info.user_id
        self._session = GatewaySession(user_id, self._max_dave_version)
        self._kept.clear()
        return 0

    cdef int _open_link(self) except -1:
        self._close_link(LEAVE)
        self._links += 1
        self._link = self._links
        self._violations_in_a_row = 0
        self._retries.dials += 1
        url = websocket_url(self._updates.info.endpoint, self._version)
        self._queue.append(OpenWebSocket(self._link, url))
        return 0

    cdef int _close_link(self, int code) except -1:
        if self._link:
            self._queue.append(CloseWebSocket(self._link, code))
            self._link = 0
        self._timers[HEARTBEAT_TIMER] = INFINITY
        self._heartbeat.stop()
        return 0

    cdef bint _is_current(self, long long link) except -1:
        if link == self._link and link:
            return True
        self.ignored += 1
        return False

    cdef bint _is_receiving(self, long long link) except -1:
        if self._state in CONNECTED_STATES:
            return self._is_current(link)
        self.ignored += 1
        return False

    cdef int _transmit(self, object payload) except -1:
        """Send on the link, or keep what has to wait for the next one."""
        if self._state not in SENDING_STATES:
            self._kept.append(payload)
            del self._kept[:-MAX_KEPT]
        elif isinstance(payload, bytes):
            self._queue.append(SendBinary(self._link, payload))
        else:
            self._queue.append(SendText(self._link, payload))
        return 0

    cdef int _begin_anew(self, object cause, object policy, str why, double now) except -1:
        """Dial for a new session, with a new budget. ``policy`` None: it is no reconnection."""
        self._close_link(LEAVE)
        waited = self._state is AWAITING_UPDATE or self._state is AWAITING_SESSION
        self._timers[CONNECT_TIMER] = INFINITY
        self._retries.reset()
        self._heartbeat.forget_latency()
        self._move(cause, now)
        if policy is not None and not waited:
            self.reconnects += 1
            self._queue.append(Reconnecting(1, 0.0, policy, None, why))
        self._open_link()
        return 0

    cdef int _conclude(self, object code, object policy, str why, object error) except -1:
        self._queue.append(Closed(code, policy, why, error))
        return 0

    cdef int _finish(
        self, object cause, object code, object policy, str why, object error, double now
    ) except -1:
        if self._move(cause, now):
            self._conclude(code, policy, why, error)
        return 0

    # -- losing a link ----------------------------------------------------------------

    cdef int _lost(self, object code, str reason, str why, double now) except -1:
        """Do what the close code's policy says. The link is closed already."""
        self._close_link(LEAVE)
        before = self._state
        tries = self._retries.dials
        policy = self._retries.policy(code)
        if self._updates.is_moved and policy in (ClosePolicy.RESUME, ClosePolicy.NEW_SESSION):
            # The session was in the channel that we were moved out of.
            policy = ClosePolicy.WAIT_FOR_UPDATE
        cause = POLICY_INPUTS[policy]
        if not self._config.reconnect:
            cause = GatewayInput.LOST_FATALLY
        elif cause is GatewayInput.LOST and self._retries.is_spent:
            cause = GatewayInput.ATTEMPTS_SPENT
        self._move(cause, now)
        self._waiting_code = code
        if self._state is AWAITING_UPDATE:
            self._queue.append(WaitingForUpdate(code, why))
        elif self._state is AWAITING_SESSION:
            self._need_new_session(code, why)
        elif self._state is not CLOSED:
            self._pause(policy, code, why, now)
        elif cause is GatewayInput.ATTEMPTS_SPENT or (code is None and before in HANDSHAKE_STATES):
            times = "once" if tries == 1 else f"{tries} times"
            sentence = f"no connection, tried {times}: {why}"
            self._conclude(code, policy, why, ConnectFailed(sentence, STAGES[before], tries))
        else:
            error = close_error(code, reason)
            self._conclude(code, policy, str(error), error)
        return 0

    cdef int _pause(self, object policy, object code, str why, double now) except -1:
        pause = self._retries.next_pause()
        self._timers[BACKOFF_TIMER] = now + pause
        self.reconnects += 1
        self._queue.append(Reconnecting(self._retries.pauses, pause, policy, code, why))
        return 0

    cdef int _need_new_session(self, object code, str why) except -1:
        self._waiting_code = code
        self._updates.expect_rejoin()
        self._queue.append(NeedNewSession(code, why))
        return 0

    # -- messages -------------------------------------------------------------------------

    cdef int _receive(self, object message, bint binary, double now) except -1:
        if message.seq is not None:
            self._session.seq = message.seq  # never compared: it wraps
        what = reaction(self._state, message.op, binary)
        if what is Reaction.TAKE:
            self._take(message, now)
        elif what is Reaction.STEP:
            self._step(message, now)
        elif what is Reaction.UNKNOWN:
            self.ignored += 1
            raw = message.data if binary else message.raw
            self._queue.append(UnknownMessage(message.op, raw))
        else:
            kind = "binary" if binary else "text"
            why = f"not expected as a {kind} message in state {self._state.name}"
            raise BadMessage(f"op {message.op}", why)
        self._violations_in_a_row = 0
        if self._config.report_messages and message.op != Opcode.SESSION_DESCRIPTION:
            self._queue.append(MessageReceived(message.op, message.data, message.raw))
        return 0

    cdef int _step(self, object message, double now) except -1:
        cause = OPCODE_INPUTS[message.op]
        if cause is GatewayInput.RESUMED:
            self._move(cause, now)
            self.resumes += 1
            self._queue.append(SessionResumed())
            while self._kept:
                self._transmit(self._kept.pop(0))
            return 0
        if cause is GatewayInput.IDENTIFIED:
            event = self._session.take_ready(message.data)
        else:
            event = self._session.take_description(message.data)
        self._move(cause, now)
        if event is not None:
            self._queue.append(event)
        return 0

    cdef int _take(self, object message, double now) except -1:
        op, data = message.op, message.data
        if op == Opcode.HELLO:
            self._timers[HEARTBEAT_TIMER] = now + self._heartbeat.begin(data.heartbeat_interval)
        elif op == Opcode.HEARTBEAT:
            self._beat(True, now)
        elif op == Opcode.HEARTBEAT_ACK:
            nonce = data.t if isinstance(data, HeartbeatData) else data
            if not self._heartbeat.acknowledge(nonce, now):
                self.ignored += 1
            elif self._state is OPEN:
                self._retries.forget_unknown_codes()  # the session stood for a whole interval
        else:
            self._report(op, message)
        return 0

    cdef int _report(self, int op, object message) except -1:
        event = MESSAGE_EVENTS[op](message) if op in MESSAGE_EVENTS else None
        joined = self._session.take_users(message.data) if op == Opcode.CLIENTS_CONNECT else ()
        if op == Opcode.CLIENT_DISCONNECT:
            self._session.remove_user(event.user_id)
        if op in FORWARDED_OPS:
            self._queue.append(GatewayMessage(op, message.data))
        if event is not None:
            self._queue.append(event)
        self._queue.extend(map(UserJoined, joined))
        return 0

    cdef int _violated(self, object error, double now) except -1:
        if error.seq is not None:
            self._session.seq = error.seq
        self.violations += 1
        self._violations_in_a_row += 1
        count = self._violations_in_a_row
        self._queue.append(ProtocolViolation(error.what, error.why, count))
        if count >= self._config.max_violations:
            self._close_link(DROP)
            self._lost(DROP, "", f"{count} protocol violations in a row", now)
        return 0
