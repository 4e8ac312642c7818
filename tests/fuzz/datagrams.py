"""Datagrams against everything that reads them: parsers, session, connection, server.

Whatever comes in: no exception, every datagram is accounted for, what the reference in
`tests.reference` says of it is what voicekit says, and the call goes on.
"""

from collections import Counter
from random import Random
from typing import Any

from tests.fuzz.mutate import exactly
from tests.fuzz.oracle import Differential
from tests.fuzz.packets import PacketMaker
from tests.testing.spies import KeyCatcher
from voicekit._crypto import TransportCipher, available_modes
from voicekit._frame import AudioFrame
from voicekit._session import RtpSession
from voicekit.discovery import parse_reply, parse_request
from voicekit.testing import Client, Pair, opus_frame

#: Datagrams between two looks at the clock: enough for every timer of a call to come up.
BATCH = 50
SECONDS_PER_BATCH = 0.05
OWN_SSRC = 0x0BAD_CAFE


class DatagramFuzz:
    """One seeded run. ``counts`` says how often which verdict was seen."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.inputs = 0
        self._random = random = Random(f"{seed}/datagrams")
        mode = random.choice(available_modes())
        key = random.randbytes(32)
        self._differential = Differential(mode, key)
        self._maker = PacketMaker(
            TransportCipher(mode, key, nonce_start=2**31), (101, 102, OWN_SSRC), random
        )
        self._session = RtpSession(OWN_SSRC, random=random)
        self._session.set_key(mode, key)
        self._session.map_ssrc(101, 1, 0.0)
        self._session_frames = self._session_received = 0
        self._now = 0.0
        # A target; a victim, in whose name packets are forged; a witness of the call.
        self._pair = Pair(clients=3, make_connection=KeyCatcher, seed=seed)
        self._pair.connect()
        self._target, self._victim, self._witness = self._pair.clients
        for client in self._pair.clients:
            self._pair.play(client, 5)
        self._pair.drive(1.0)
        self._to_client = self._maker_for(self._target, nonce_start=2**31 + 2**30)
        self._to_server = self._maker_for(self._target, nonce_start=2**30)

    def _maker_for(self, client: Client, nonce_start: int) -> PacketMaker:
        connection = client.connection
        assert isinstance(connection, KeyCatcher)
        own, other = connection.ssrc, self._victim.connection.ssrc
        assert own is not None
        assert other is not None
        cipher = TransportCipher(*connection.keys[-1], nonce_start=nonce_start)
        ssrcs = (other, 103, own) if nonce_start >= 2**31 else (own, other)
        return PacketMaker(cipher, ssrcs, self._random)

    def run(self, count: int) -> None:
        """Feed ``count`` datagrams to every target."""
        for _ in range(0, count, BATCH):
            for _ in range(min(BATCH, count)):
                self._one()
            self._let_time_pass()
            count -= BATCH
        self._check_that_the_call_goes_on()

    def _one(self) -> None:
        self.inputs += 1
        data = exactly(self._maker.make())
        self.counts[self._differential.judge(data)] += 1
        parse_reply(data, OWN_SSRC)
        parse_request(data)
        self._receive_in_session(data)
        client = self._target
        hostile = exactly(self._to_client.make())
        client.connection.receive_datagram(client.udp_link, hostile, self._pair.now)
        self._pair.drain(client)
        self._pair.server.receive_datagram(
            self._to_server.make(), (client.host, client.port), self._pair.now
        )
        self._pair.drain()

    def _let_time_pass(self) -> None:
        self._now += SECONDS_PER_BATCH
        self._session.handle_timeout(self._now)
        timeout = self._session.next_timeout()
        assert timeout is None or timeout > self._now
        self._drain_session()
        accounted = (
            self._session_frames
            + sum(self._session.drops.values())
            + self._session.rtcp_received
            + sum(stream.held for stream in self._session.stream_stats().values())
        )
        assert accounted >= self._session_received, (accounted, self._session_received)
        self._pair.drive(SECONDS_PER_BATCH)
        for client in self._pair.clients:
            client.frames.clear()
            client.events.clear()

    # -- session -----------------------------------------------------------------------

    def _receive_in_session(self, data: Any) -> None:
        self._session_received += 1
        if self._session.receive(data, self._now) is not None:
            self._session_frames += 1
        self._drain_session()
        if self._random.random() < 0.001:
            self._session.map_ssrc(102, 2, self._now)
        elif self._random.random() < 0.001:
            self._session.remove_user(2, self._now)

    def _drain_session(self) -> None:
        while (item := self._session.poll()) is not None:
            if isinstance(item, AudioFrame):
                self._session_frames += 1

    # -- the call ------------------------------------------------------------------------

    def _check_that_the_call_goes_on(self) -> None:
        pair = self._pair
        assert all(client.connection.is_ready for client in pair.clients)
        pair.drive(1.0)
        self._target.frames.clear()
        sent = pair.play(self._witness, [opus_frame(n) for n in range(1000, 1020)])
        pair.drive(1.0)
        assert [frame.opus for frame in self._target.frames] == sent
        for client in pair.clients:
            for reason, count in client.connection.stats().drops.items():
                self.counts[f"connection: {reason}"] += count
