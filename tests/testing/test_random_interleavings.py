"""Whatever happens in whatever order: the promises of the core hold.

No nonce twice per key, no frame twice, no timer in the past, no secret in any repr or in a
transcript, and every transcript replays to the same outputs.
"""

import io
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.testing.spies import KeyCatcher, NonceWatch, NonceWatchedLink
from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.server import MALFORMED, ServerConfig
from voicekit.server_info import VoiceServerInfo
from voicekit.testing import Client, Pair, opus_frame, record, replay

RESUMABLE = (None, 1006, 4000, 4015, 4999)
FATAL = (4004, 4006, 4009, 4014, 4017, 4022)
who = st.integers(0, 1)


class AnyOrder(RuleBasedStateMachine):
    @initialize(
        seed=st.integers(0, 2**32),
        loss=st.sampled_from((0.0, 0.3)),
        duplicate=st.sampled_from((0.0, 0.3)),
        delay=st.sampled_from((0.0, 0.03)),
        version=st.sampled_from((4, 8, 9)),
        receive_only=st.booleans(),
        head_start=st.sampled_from((0.0, 5.0, 5.0, 5.0)),
    )
    def begin(
        self,
        seed: int,
        loss: float,
        duplicate: float,
        delay: float,
        version: int,
        receive_only: bool,
        head_start: float,
    ) -> None:
        self.transcripts: list[io.StringIO] = []
        self.secrets: set[str] = set()
        self.watch = NonceWatch()
        self.numbers = 0
        self.delivered: list[set[bytes]] = [set(), set()]
        self.strange: set[bytes] = set()  # frames that a test injected, not a client

        def link(number: int) -> NonceWatchedLink:
            return NonceWatchedLink(
                loss=loss, duplicate=duplicate, delay=delay, reorder=0.1, seed=seed + number
            )

        self.pair = Pair(
            clients=2,
            config=[
                Config(gateway_version=version, receive_only=receive_only, rtcp=True, dave=False),
                Config(report_drops=True, dave=False),  # MLS draws numbers no replay can repeat
            ],
            server_config=ServerConfig(rtcp=True, forward_rtcp=True, padding=7),
            uplink=link,
            downlink=lambda number: link(-number),
            websocket_delay=delay,
            make_connection=self._connection,
            seed=seed,
        )
        for client in self.pair.clients:
            for side in (client.uplink, client.downlink):
                assert isinstance(side, NonceWatchedLink)
                side.watch = self.watch
            self.pair.start(client)
        self.pair.drive(head_start)

    def _connection(self, info: VoiceServerInfo, config: Config, random: Random) -> VoiceConnection:
        file = io.StringIO()
        self.transcripts.append(file)
        self.secrets |= {info.token, info.session_id}
        connection = record(
            info, file, config=config, seed=random.getrandbits(32), make_connection=KeyCatcher
        )
        self.watch.connections.append(connection)
        return connection

    def client(self, index: int) -> Client:
        return self.pair.clients[index]

    # -- what happens ---------------------------------------------------------------

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.019, 0.1, 1.0, 14.0, 70.0)))
    def time_passes(self, seconds: float) -> None:
        self.pair.drive(seconds)

    @rule(index=who, count=st.integers(1, 20), heard=st.booleans())
    def somebody_talks(self, index: int, count: int, heard: bool) -> None:
        self.pair.play(self.client(index), [self._frame() for _ in range(count)])
        if heard:
            self.pair.drive(count * 0.02)

    def _frame(self) -> bytes:
        self.numbers += 1
        return opus_frame(self.numbers)

    @rule(index=who)
    def somebody_stops_talking(self, index: int) -> None:
        self.pair.stop_audio(self.client(index))

    @rule(index=who, flags=st.integers(0, 7))
    def somebody_sets_speaking(self, index: int, flags: int) -> None:
        now = self.pair.now
        self.pair.call(self.client(index), lambda c: c.set_speaking(flags, now))

    @rule(index=who, code=st.sampled_from(RESUMABLE))
    def a_websocket_is_lost(self, index: int, code: int | None) -> None:
        client = self.client(index)
        if client.wire is not None:
            self.pair.drop_websocket(client, code)

    @rule(index=who)
    def a_websocket_goes_dead(self, index: int) -> None:
        if self.client(index).wire is not None:
            self.pair.mute_websocket(self.client(index))

    @rule(index=who, code=st.sampled_from((4000, 4015, 4999, *FATAL)))
    def the_server_closes(self, index: int, code: int) -> None:
        user = self.client(index).connection.info.user_id
        self.pair.server.faults.close(code, self.pair.now, user_id=user)
        self.pair.drain()

    @precondition(lambda self: any(c.connection.is_closed for c in self.pair.clients))
    @rule(seconds=st.sampled_from((0.0, 5.0)))
    def those_who_are_out_join_again(self, seconds: float) -> None:
        for client in self.pair.clients:
            if client.connection.is_closed:
                self.pair.restart(client)
        self.pair.drive(seconds)

    @rule(index=who, name=st.sampled_from(sorted(MALFORMED)))
    def the_server_talks_nonsense(self, index: int, name: str) -> None:
        user = self.client(index).connection.info.user_id
        self.pair.server.faults.malformed(name, self.pair.now, user_id=user)
        self.pair.drain()

    @rule(index=who, count=st.integers(1, 5), reverse=st.booleans())
    def the_server_stutters(self, index: int, count: int, reverse: bool) -> None:
        faults, user = self.pair.server.faults, self.client(index).connection.info.user_id
        fault = faults.reorder if reverse else faults.duplicate
        fault(count, self.pair.now, user_id=user)
        self.pair.drain()

    @rule(index=who, close_first=st.booleans(), move=st.booleans())
    def somebody_is_moved_or_kicked(self, index: int, close_first: bool, move: bool) -> None:
        faults, user = self.pair.server.faults, self.client(index).connection.info.user_id
        if move:
            faults.move(5, self.pair.now, user_id=user, close_first=close_first)
        else:
            faults.kick(self.pair.now, user_id=user, close_first=close_first)
        self.pair.drain()

    @rule(index=who, websockets=st.integers(0, 3), udp=st.integers(0, 2))
    def the_network_refuses(self, index: int, websockets: int, udp: int) -> None:
        self.client(index).refuse_websockets = websockets
        self.client(index).refuse_udp = udp

    @rule(index=who)
    def udp_breaks(self, index: int) -> None:
        if self.client(index).port:
            self.pair.fail_udp(self.client(index))

    @rule(index=who, link=st.integers(0, 5), data=st.binary(max_size=100))
    def a_stray_datagram_comes(self, index: int, link: int, data: bytes) -> None:
        now = self.pair.now
        self.pair.call(self.client(index), lambda c: c.receive_datagram(link, data, now))

    @rule(index=who, link=st.integers(0, 5), text=st.text(max_size=50))
    def a_stray_message_comes(self, index: int, link: int, text: str) -> None:
        now = self.pair.now
        self.pair.call(self.client(index), lambda c: c.receive_text(link, text, now))

    @rule(index=who, link=st.integers(0, 5), opened=st.booleans())
    def a_stray_socket_event_comes(self, index: int, link: int, opened: bool) -> None:
        client, now = self.client(index), self.pair.now
        current = client.wire.client_link if client.wire is not None else -1
        if link in (current, current + 1):
            return  # that would be a lie about a socket that exists
        if opened:
            self.pair.call(client, lambda c: c.websocket_opened(link, now))
        else:
            self.pair.call(client, lambda c: c.websocket_closed(link, 4006, "late", now))

    @precondition(lambda self: any(not c.connection.is_closed for c in self.pair.clients))
    @rule(index=who)
    def somebody_leaves(self, index: int) -> None:
        now = self.pair.now
        if not self.client(index).connection.is_closed:
            self.pair.call(self.client(index), lambda c: c.close(now))

    # -- what must hold ----------------------------------------------------------------

    @invariant()
    def no_frame_comes_twice(self) -> None:
        for client, seen in zip(self.pair.clients, self.delivered, strict=True):
            for frame in client.frames:
                if frame.opus[0] == 0xFC:  # else silence, which all looks the same
                    assert frame.opus not in seen
                    seen.add(frame.opus)
            client.frames.clear()

    @invariant()
    def no_nonce_is_used_twice(self) -> None:
        self.watch.check()

    @invariant()
    def no_timer_is_in_the_past(self) -> None:
        for client in self.pair.clients:
            due = client.connection.next_timeout()
            assert due is None or due >= self.pair.now

    @invariant()
    def no_secret_shows(self) -> None:
        shown = [self.pair.story.tell(), repr(self.pair.server), repr(self.pair.server.stats())]
        for client in self.pair.clients:
            connection = client.connection
            for _, key in connection.keys:  # type: ignore[attr-defined]
                self.secrets |= {key.hex(), str(list(key)), repr(key), key.decode("latin-1")}
            shown += [repr(connection._connection), repr(connection.stats())]  # type: ignore[attr-defined]
            shown += map(repr, client.events)
            client.events.clear()
        text = "\n".join(shown)
        assert not [secret for secret in self.secrets if secret in text]

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        # Moves and the like hand out new ones; the connections know them.
        for file in self.transcripts:
            text = file.getvalue()
            assert not [secret for secret in self.secrets if secret in text]
            assert "198.51.100." not in text
            assert "192.0.2." not in text
            assert replay(text.splitlines()) == []


AnyOrder.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnyOrder = AnyOrder.TestCase
