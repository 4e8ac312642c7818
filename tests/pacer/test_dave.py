"""Real MLS groups: no frame goes out under the key of before, and none is lost by a switch.

One client of a `Pair` sends through a stream. Its ring always holds frames, so that each
change of what is encrypted finds some that were encrypted otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from voicekit import Config, LocalProtocolError
from voicekit._crypto import TransportCipher
from voicekit._rtp import open_packet
from voicekit.codes import SILENCE_FRAME
from voicekit.dave import DaveMachine
from voicekit.dave.frames import MARKER
from voicekit.events import SpeakingChanged
from voicekit.pacer import LatePolicy, Stream, StreamState
from voicekit.pacer._loop import Loop
from voicekit.pacer._native import NativeLoop
from voicekit.pacer.threaded import ThreadedLoop
from voicekit.testing import Client, Pair, opus_frame

from .rig import Listener

NEW = Config(gateway_version=9)
OLD = Config(gateway_version=9, dave=False)
#: What the pair's time 0 is on the pacer's clock, in nanoseconds.
ZERO = 10**15


@dataclass(frozen=True)
class Sent:
    """One packet of the speaker, as it left."""

    epoch: int
    payload: bytes
    waiting: int  #: frames in the ring at that time

    @property
    def is_encrypted(self) -> bool:
        return self.payload.endswith(MARKER)


class Speaker:
    """A client that is never silent, through a stream on a told clock."""

    def __init__(self, pair: Pair, client: Client, native: bool) -> None:
        self.pair, self.client = pair, client
        self.loop: Loop = NativeLoop() if native else ThreadedLoop()
        self.loop.set_clock(self.clock())
        self.listener = Listener()
        self.sock = self.listener.connected()
        self.stream = Stream(
            self.loop,
            client.connection,
            self.sock,
            depth=0.2,
            policy=LatePolicy.REBASE,
            clock_offset=-ZERO / 1e9,
            notifier=None,
            owner=None,
        )
        described = client.connection._described
        assert described is not None
        self.cipher = TransportCipher(described.mode, described.secret_key)
        self.pushed = 0
        self.sent: list[Sent] = []
        assert pair.call(client, lambda connection: connection.start_audio(pair.now))
        self.turn(pair.now)

    @property
    def machine(self) -> DaveMachine:
        return machine_of(self.client)

    def clock(self) -> int:
        return ZERO + round(self.pair.now * 1e9)

    def turn(self, now: float) -> None:
        """When something is due, and every 5 ms: a stream that begins anew rings no alarm here."""
        if self.stream.is_removed:
            return
        while self.stream.push(opus_frame(self.pushed)):
            self.pushed += 1
        due = self.loop.take_turn(self.clock())
        for datagram in self.datagrams():
            payload = bytes(open_packet(self.cipher, datagram).payload)
            self.sent.append(Sent(self.machine.send_epoch.current, payload, self.stream.queued))
            self.client.uplink.send(self.client.port.to_bytes(2, "big") + datagram, now)
        later = now + 0.005 if due is None else min((due - ZERO) / 1e9, now + 0.005)
        self.pair.at(max(later, now + 0.0005), self.turn)

    def datagrams(self) -> list[bytes]:
        self.listener.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.listener.socket.recv(65536))
        except BlockingIOError:
            return found

    def close(self) -> None:
        self.stream.remove()
        self.sock.close()
        self.listener.close()


@pytest.fixture
def closing() -> Iterator[list[Speaker]]:
    speakers: list[Speaker] = []
    yield speakers
    for speaker in speakers:
        speaker.close()


def machine_of(client: Client) -> DaveMachine:
    machine = client.connection._dave
    assert isinstance(machine, DaveMachine)
    return machine


def speaking(native: bool, closing: list[Speaker], *configs: Config) -> tuple[Pair, Speaker]:
    """The first two clients are in a call, and the first one talks."""
    pair = Pair(clients=len(configs), config=configs, dave=True)
    alice, bob = pair.clients[:2]
    pair.connect(alice, bob)
    pair.drive(5.0)
    speaker = Speaker(pair, alice, native)
    closing.append(speaker)
    pair.drive(2.0)
    return pair, speaker


def heard(client: Client) -> list[bytes]:
    return [frame.opus for frame in client.frames if frame.opus != SILENCE_FRAME]


def assert_nothing_was_lost(speaker: Speaker, listener: Client) -> None:
    """All that was said is heard, in order, but for what is still in the ring."""
    numbers = heard(listener)
    assert numbers == [opus_frame(number) for number in range(len(numbers))]
    assert len(numbers) >= speaker.stream.position - 2
    assert speaker.stream.stats().silence == 0
    assert speaker.stream.stats().withheld == 0


def test_speaking_is_announced_before_the_first_packet(
    native: bool, closing: list[Speaker]
) -> None:
    pair, _ = speaking(native, closing, NEW, NEW)
    bob = pair.clients[1]
    assert bob.events_of(SpeakingChanged)[0].flags
    assert heard(bob)[0] == opus_frame(0)


def test_a_join_changes_the_key_of_what_waits(native: bool, closing: list[Speaker]) -> None:
    pair, speaker = speaking(native, closing, NEW, NEW, NEW)
    _, bob, carol = pair.clients
    before = speaker.machine.send_epoch.current
    pair.start(carol)
    pair.drive(6.0)
    after = [packet for packet in speaker.sent if packet.epoch > before]
    assert after[0].waiting > 1
    assert all(packet.is_encrypted for packet in speaker.sent)
    assert_nothing_was_lost(speaker, bob)
    # The newcomer has no key of before: it hears the very first frame after the switch.
    switch = len(speaker.sent) - len(after)
    assert opus_frame(switch) in heard(carol)
    assert heard(carol) == heard(bob)[len(heard(bob)) - len(heard(carol)) :]


def test_who_left_can_not_open_what_waited(native: bool, closing: list[Speaker]) -> None:
    pair, speaker = speaking(native, closing, NEW, NEW, NEW)
    alice, bob, carol = pair.clients
    pair.start(carol)
    pair.drive(6.0)
    alices = alice.connection.info.user_id
    spy = machine_of(carol)
    assert heard(carol)
    more = speaker.machine.encrypt(opus_frame(1))
    assert more is not None
    assert spy.decrypt(alices, more, pair.now) == opus_frame(1)
    before = speaker.machine.send_epoch.current
    pair.call(carol, lambda connection: connection.close(pair.now))
    pair.drive(6.0)
    after = [packet for packet in speaker.sent if packet.epoch > before]
    assert after
    assert after[0].waiting > 1
    assert all(spy.decrypt(alices, packet.payload, pair.now) is None for packet in after)
    assert_nothing_was_lost(speaker, bob)


def test_a_downgrade_and_the_upgrade_after_it(native: bool, closing: list[Speaker]) -> None:
    pair, speaker = speaking(native, closing, NEW, NEW, OLD)
    _, bob, old = pair.clients
    assert all(packet.is_encrypted for packet in speaker.sent)
    encrypted = speaker.machine.send_epoch.current
    pair.start(old)
    pair.drive(6.0)
    clear = speaker.machine.send_epoch.current
    assert clear > encrypted
    for packet in speaker.sent:
        assert packet.is_encrypted == (packet.epoch < clear)
    switched = len(speaker.sent)
    pair.call(old, lambda connection: connection.close(pair.now))
    pair.drive(6.0)
    again = speaker.machine.send_epoch.current
    assert again > clear
    for packet in speaker.sent[switched:]:
        assert packet.is_encrypted == (packet.epoch > clear)
    assert speaker.sent[-1].is_encrypted
    assert_nothing_was_lost(speaker, bob)
    clear_frames = sum(not packet.is_encrypted for packet in speaker.sent)
    assert speaker.client.connection.stats().frames_sent_clear == clear_frames


def test_a_new_session_goes_on_at_the_same_frame(native: bool, closing: list[Speaker]) -> None:
    pair, speaker = speaking(native, closing, NEW, NEW)
    alice, bob = pair.clients
    epoch, said = speaker.machine.send_epoch.current, speaker.stream.position
    ssrc, endpoint = alice.connection.ssrc, alice.connection.info.endpoint
    pair.call(alice, lambda connection: connection.update_voice_server("t", endpoint, pair.now))
    assert speaker.stream.state is StreamState.FROZEN
    pair.drive_bounded(until=lambda: alice.connection.is_ready and alice.connection.is_encrypted)
    assert speaker.stream.position == said
    assert alice.connection.ssrc != ssrc
    described = alice.connection._described
    assert described is not None
    speaker.cipher = TransportCipher(described.mode, described.secret_key)
    before = len(speaker.sent)
    pair.call(alice, lambda connection: connection.start_audio(pair.now))
    speaker.stream.rebind()
    pair.drive(4.0)
    assert speaker.machine.send_epoch.current > epoch
    assert all(packet.is_encrypted for packet in speaker.sent[before:])
    assert_nothing_was_lost(speaker, bob)


def test_a_push_from_inside_a_call_of_the_connection_is_refused(
    native: bool, closing: list[Speaker]
) -> None:
    """End-to-end encryption is not for two threads at once."""
    _, speaker = speaking(native, closing, NEW, NEW)
    speaker.stream.discard()
    with speaker.client.connection._mutation(0.0), pytest.raises(LocalProtocolError, match="call"):
        speaker.stream.push(opus_frame(1))
