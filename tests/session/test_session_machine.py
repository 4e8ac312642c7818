"""Random lives of a session against a model that is too simple to be wrong."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from voicekit._frame import AudioFrame
from voicekit.codes import SILENCE_FRAME, DropReason
from voicekit.events import PacketDropped, RtcpReceived, SpeakingStarted, SpeakingStopped
from voicekit.rtcp import Goodbye

from .peers import KEY, MODE, OURS, VOICE, Server, drain, ready_session, run_timers, voice

#: Drops of frames to be sent, and of events: no datagram was received for them.
NOT_RECEIVED = {DropReason.NOT_READY, DropReason.BAD_FRAME, DropReason.NONCE_EXHAUSTED}
NOT_RECEIVED |= {DropReason.QUEUE_OVERFLOW}


class SessionMachine(RuleBasedStateMachine):
    """Streams come and go, packets are lost, repeated and reordered, time passes."""

    datagrams = Bundle("datagrams")

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.session = ready_session(hold_packets=3, max_ssrcs=4)
        self.server = Server()
        self.key_number = -1
        self.next_sequence = {}
        self.received = 0
        self.delivered = 0
        self.heard = {}  # by SSRC: what was delivered since the stream is known
        self.rtcp = 0
        self.nonces = set()
        self.speaking = set()

    # -- what happens ----------------------------------------------------------

    @rule(target=datagrams, gap=st.integers(1, 2), silent=st.booleans(), which=st.integers(0, 5))
    def send(self, gap, silent, which):
        ssrc = OURS + which  # now and then our own
        number = self.next_sequence.get(ssrc, 65_530) + gap
        self.next_sequence[ssrc] = number
        if silent:
            return self.server.silence(ssrc, number)
        return self.server.packet(ssrc, number, voice(number))

    @rule(target=datagrams)
    def send_rtcp(self):
        return self.server.rtcp(Goodbye((1,)))

    @rule(target=datagrams, data=datagrams, position=st.integers(0, 10_000))
    def damage(self, data, position):
        changed = bytearray(data or b"?")
        changed[position % len(changed)] ^= 0x11
        return bytes(changed)

    @rule(target=datagrams, data=st.binary(max_size=80))
    def invent(self, data):
        return data

    @rule(data=datagrams)
    def receive(self, data):
        """Any datagram may come at any time, and as often as it likes."""
        self.received += 1
        buffer = bytearray(data)
        frame = self.session.receive(buffer, self.now)
        buffer[:] = bytes(len(buffer))
        if frame is not None:
            self.deliver(frame)

    @rule(which=st.integers(0, 5), user=st.integers(1, 3))
    def map_ssrc(self, which, user):
        self.session.map_ssrc(OURS + which, user, self.now)

    @rule(which=st.integers(0, 5), user=st.integers(1, 3), flags=st.integers(0, 7))
    def set_speaking(self, which, user, flags):
        self.session.speaking(OURS + which, user, flags, self.now)

    @rule(user=st.integers(1, 3))
    def remove_user(self, user):
        self.session.remove_user(user, self.now)

    @rule(pause=st.sampled_from([0.001, 0.02, 0.1, 0.3]))
    def wait(self, pause):
        self.now += pause

    @rule()
    def handle_timeout(self):
        self.session.handle_timeout(self.now)
        due = self.session.next_timeout()
        assert due is None or due > self.now

    @rule(audio=st.booleans(), opus=st.sampled_from([VOICE, b"", b"\xff"]))
    def seal(self, audio, opus):
        if audio:
            datagram = self.session.seal_audio(opus, self.now)
        else:
            datagram = self.session.build_report(self.now)
        if datagram is not None:
            nonce = (self.key_number, datagram[-4:])
            assert nonce not in self.nonces
            self.nonces.add(nonce)

    @rule(another=st.booleans(), close=st.booleans())
    def set_key(self, another, close):
        """A key may come again, to the same session or after it was closed."""
        if close:
            self.session.close()
        self.key_number += another
        key = KEY if self.key_number < 0 else bytes([self.key_number] * 32)
        self.server = Server(key)
        self.session.set_key(MODE, key, nonce_start=0)

    @rule()
    def close(self):
        self.session.close()

    # -- what must hold ----------------------------------------------------------

    def deliver(self, frame):
        assert frame.ssrc != OURS
        assert frame.arrived <= self.now
        assert frame.opus in (SILENCE_FRAME, voice(frame.sequence))
        heard = self.heard.setdefault(frame.ssrc, set())
        assert frame.sequence not in heard
        heard.add(frame.sequence)
        self.delivered += 1

    @invariant()
    def drain(self):
        for item in drain(self.session):
            match item:
                case AudioFrame():
                    self.deliver(item)
                case RtcpReceived():
                    self.rtcp += 1
                case SpeakingStarted(user, ssrc):
                    assert (user, ssrc) not in self.speaking
                    self.speaking.add((user, ssrc))
                case SpeakingStopped(user, ssrc):
                    self.speaking.remove((user, ssrc))
                case PacketDropped():
                    raise AssertionError("nobody asked for this")

    @invariant()
    def no_more_streams_than_allowed(self):
        streams = self.session.stream_stats()
        assert len(streams) <= 4
        for ssrc in self.heard.keys() - streams.keys():
            del self.heard[ssrc]  # forgotten, with all that was heard of it

    def teardown(self):
        run_timers(self.session)
        self.drain()
        drops = self.session.drops
        dropped = sum(n for reason, n in drops.items() if reason not in NOT_RECEIVED)
        assert self.received == self.delivered + self.rtcp + dropped
        assert self.session.packets_received == self.delivered
        assert self.session.rtcp_received == self.rtcp
        assert not self.speaking


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
