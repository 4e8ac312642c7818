"""Random interleavings of everybody's calls, against what must hold whatever happens."""

import json
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.gateway.driver import INFO, MODE
from tests.gateway.test_reactions import GOOD
from tests.gateway.test_secrets import assert_clean
from voicekit._gateway import Gateway
from voicekit.close_codes import CLOSE_CODES
from voicekit.codes import Opcode
from voicekit.config import Config
from voicekit.errors import LocalProtocolError
from voicekit.events import Closed
from voicekit.gateway_events import GatewayDescribed, GatewayReady
from voicekit.gateway_states import LINKED_STATES, SESSION_STATES, GatewayState
from voicekit.outputs import CloseWebSocket, OpenWebSocket, SendBinary, SendText

S = GatewayState

#: What leaves the call alive comes more often, else few lives would be long.
GENTLE = st.sampled_from([None, 1006, 4000, 4006, 4014, 4015])
CODES = st.one_of(GENTLE, GENTLE, GENTLE, st.sampled_from(sorted(CLOSE_CODES)), st.just(4099))
RARELY = st.integers(0, 19).map(lambda n: n == 0)
TOKENS = st.sampled_from(["the-token", "token-2", "token-3"])
ENDPOINTS = st.one_of(st.none(), st.sampled_from(["a.example:1", "b.example:1"]))
CHANNELS = st.sampled_from([22, 99])
SESSIONS = st.sampled_from(["the-session-id", "session-2"])


class Interleavings(RuleBasedStateMachine):
    """A host, a network and a server that do anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.links: list[int] = []
        self.live: int | None = None  # what the driver holds as the link that was asked for
        self.opened = False
        self.first_sent = False
        self.described = False
        self.ended = False

    @initialize(version=st.integers(4, 9), once=RARELY, seed=st.integers(0, 99), idle=RARELY)
    def make(self, version: int, once: bool, seed: int, idle: bool) -> None:
        self.gateway = Gateway(
            INFO,
            config=Config(gateway_version=version, reconnect=not once, max_violations=5),
            random=Random(seed),
            max_dave_version=1,
        )
        if not idle:
            self.call("start")

    # -- the driver's side ---------------------------------------------------------

    def call(self, name: str, *args: Any) -> None:
        try:
            getattr(self.gateway, name)(*args, self.now)
        except LocalProtocolError:
            assert self.gateway.poll() is None, "a wrong call changes nothing"
        self.drain()

    def drain(self) -> None:
        count = 0
        while (item := self.gateway.poll()) is not None:
            count += 1
            assert count < 300, "one mutation gives a bounded number of outputs"
            assert not self.ended, "Closed is the last"
            assert_clean(repr(item))
            match item:
                case OpenWebSocket(link):
                    assert self.live is None, "the old link is given up first"
                    assert not self.links or link > self.links[-1]
                    self.links.append(link)
                    self.live, self.opened, self.first_sent = link, False, False
                case CloseWebSocket(link):
                    assert link == self.live
                    self.live = None
                case SendText(link, text):
                    assert link == self.live
                    assert self.opened
                    op = json.loads(text)["op"]
                    assert (op in (Opcode.IDENTIFY, Opcode.RESUME)) is not self.first_sent
                    assert op != Opcode.RESUME or self.described
                    if op == Opcode.IDENTIFY:
                        self.described = False
                    self.first_sent = True
                case SendBinary(link):
                    assert link == self.live
                    assert self.first_sent
                case GatewayReady():
                    self.described = False
                case GatewayDescribed(mode, key):
                    assert (mode, len(key)) == (MODE, 32)
                    self.described = True
                case Closed(error=error):
                    self.ended = True
                    assert error is None or str(error)

    # -- everybody -------------------------------------------------------------------

    @precondition(lambda self: not self.links and not self.ended)
    @rule()
    def start(self) -> None:
        self.call("start")

    @precondition(lambda self: not self.ended)
    @rule(seconds=st.one_of(st.floats(0, 0.5), st.floats(0.2, 0.5), st.floats(0, 60)))
    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(200):
            due = self.gateway.next_timeout()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.call("handle_timeout")
            after = self.gateway.next_timeout()
            assert after is None or after > self.now, "no timer in the past"
        self.now = max(self.now, end)

    @precondition(lambda self: not self.ended)
    @rule(seconds=st.floats(0, 200))
    def be_late(self, seconds: float) -> None:
        self.now += seconds
        self.call("handle_timeout")

    @precondition(lambda self: self.live is not None and not self.opened)
    @rule()
    def open_link(self) -> None:
        self.opened = True
        self.call("websocket_opened", self.live)

    @precondition(lambda self: self.live is not None and not self.opened)
    @rule()
    def fail_link(self) -> None:
        link, self.live = self.live, None
        self.call("websocket_failed", link, "refused")

    @precondition(lambda self: self.live is not None)
    @rule(code=CODES)
    def lose_link(self, code: int | None) -> None:
        link, self.live = self.live, None
        self.call("websocket_closed", link, code, "")

    @precondition(lambda self: self.opened and self.live is not None)
    @rule(code=st.sampled_from([None, 4000, 4015]), handshake=st.booleans())
    def blip(self, code: int | None, handshake: bool) -> None:
        self.lose_link(code)
        self.sleep(0.3)
        if handshake and self.live is not None:
            self.shake_hands()

    @precondition(lambda self: self.opened and self.live is not None)
    @rule(op=st.sampled_from(sorted(GOOD)), seq=st.one_of(st.none(), st.integers(0, 65535)))
    def receive(self, op: int, seq: int | None) -> None:
        text = json.dumps({"op": op, "d": GOOD[op]} | ({} if seq is None else {"seq": seq}))
        self.call("receive_text", self.live, text)

    @precondition(lambda self: self.live is not None)
    @rule()
    def shake_hands(self) -> None:
        if not self.opened:
            self.open_link()
        for op in (Opcode.HELLO, Opcode.READY):
            self.call("receive_text", self.live, json.dumps({"op": op, "d": GOOD[op]}))
        self.call("select_protocol", "203.0.113.9", 6000, MODE)
        for op in (Opcode.SESSION_DESCRIPTION, Opcode.RESUMED):
            if self.live is not None:
                self.call("receive_text", self.live, json.dumps({"op": op, "d": GOOD[op]}))

    @precondition(lambda self: self.opened and self.live is not None)
    @rule(octets=st.binary(max_size=6))
    def receive_octets(self, octets: bytes) -> None:
        self.call("receive_binary", self.live, octets)

    @precondition(lambda self: self.links and not self.ended)
    @rule(back=st.integers(1, 3), text=st.sampled_from(['{"op":9,"d":null}', "{"]))
    def receive_late(self, back: int, text: str) -> None:
        link = self.links[-1] - back
        before = self.gateway.state, self.gateway.violations
        self.call("receive_text", link, text)
        self.call("websocket_closed", link, 4004, "")
        assert (self.gateway.state, self.gateway.violations) == before

    @precondition(lambda self: not self.ended)
    @rule(channel=CHANNELS, session=SESSIONS, gone=RARELY)
    def update_state(self, channel: int, session: str, gone: bool) -> None:
        self.call("update_voice_state", None if gone else channel, session)

    @precondition(lambda self: not self.ended)
    @rule(token=TOKENS, endpoint=ENDPOINTS)
    def update_server(self, token: str, endpoint: str | None) -> None:
        self.call("update_voice_server", token, endpoint)

    @precondition(lambda self: not self.ended)
    @rule(flags=st.integers(0, 7))
    def set_speaking(self, flags: int) -> None:
        self.call("set_speaking", flags)

    @precondition(lambda self: not self.ended)
    @rule()
    def send(self) -> None:
        self.call("send", 23, {"transition_id": 1})
        self.call("send_binary", 26, b"key package")

    @precondition(lambda self: not self.ended)
    @rule()
    def renegotiate(self) -> None:
        self.call("renegotiate", "why not")

    @precondition(lambda self: not self.ended)
    @rule(code=st.sampled_from([4000, 4006, 4014]), leave=RARELY)
    def close_with_code(self, code: int, leave: bool) -> None:
        self.call("close_with_code", 1000 if leave else code)

    @precondition(lambda self: not self.ended)
    @rule(really=RARELY)
    def close(self, really: bool) -> None:
        if really:
            self.call("close")

    @precondition(lambda self: self.ended)
    @rule(token=TOKENS, channel=CHANNELS)
    def do_all_after_the_end(self, token: str, channel: int) -> None:
        self.call("update_voice_server", token, "c.example:1")
        self.call("update_voice_state", channel, "session-2")
        self.call("handle_timeout")
        self.call("close")
        for call, args in {"send": (15, {}), "renegotiate": ("",), "start": ()}.items():
            self.call(call, *args)

    # -- what holds ---------------------------------------------------------------------

    @invariant()
    def links_and_states_agree(self) -> None:
        if not hasattr(self, "gateway"):
            return
        state = self.gateway.state
        assert (self.live is not None) is (state in LINKED_STATES)
        assert (state is S.CLOSED) is self.ended
        assert -1 <= self.gateway.seq <= 65535
        if state in SESSION_STATES:
            assert self.described
            assert self.gateway.ssrc is not None
        if state in (S.CLOSED, S.IDLE):
            assert self.gateway.next_timeout() is None
        elif state is not S.OPEN:
            assert self.gateway.next_timeout() is not None, "nothing waits for ever"
        assert_clean(repr(self.gateway))


Interleavings.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_interleavings = Interleavings.TestCase
