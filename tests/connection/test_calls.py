"""Whole calls of a `VoiceConnection` on the virtual clock: what is sent, and when."""

import itertools
import json
import struct
import threading
from random import Random

import pytest

from voicekit import (
    SILENCE_FRAME,
    Config,
    GatewayState,
    LocalProtocolError,
    SpeakingFlags,
    VoiceConnection,
)
from voicekit.errors import ConnectFailed, ModeUnavailable
from voicekit.events import (
    AudioStopped,
    Closed,
    NeedNewSession,
    PacketDropped,
    Reconnecting,
    SessionReady,
    SessionResumed,
    SpeakingChanged,
    SpeakingStarted,
    SpeakingStopped,
    UserJoined,
    UserLeft,
    WaitingForUpdate,
)
from voicekit.outputs import CloseUdp, OpenUdp, OpenWebSocket, SendDatagram, SendText
from voicekit.server import ServerConfig
from voicekit.testing import Client, Pair, opus_frame


def stop_and_drive(pair: Pair, client: Client, seconds: float = 1.0) -> None:
    pair.stop_audio(client)
    pair.drive(seconds)


def sent_frames(pair: Pair, listener: Client) -> list[bytes]:
    return [frame.opus for frame in listener.frames]


# -- a call from beginning to end ------------------------------------------------


@pytest.mark.parametrize("version", range(4, 10))
@pytest.mark.parametrize("mode", ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"])
def test_audio_arrives_untouched_in_every_version_and_mode(version: int, mode: str) -> None:
    pair = Pair(clients=2, config=Config(gateway_version=version, modes=(mode,)))
    pair.connect()
    alice, bob = pair.clients
    frames = [opus_frame(number, size=20 + number) for number in range(30)]
    for number, frame in enumerate(frames):
        pair.at(
            number * 0.02,
            lambda now, frame=frame: pair.call(alice, lambda c: c.send_audio(frame, now)),
        )
    pair.drive(1.0)
    assert sent_frames(pair, bob) == frames
    assert {frame.user_id for frame in bob.frames} == {alice.connection.info.user_id}
    assert alice.connection.mode == mode
    assert not any(session.packets_bad for session in pair.server.stats())


def test_speaking_goes_out_before_the_first_packet_and_once() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 10)
    pair.drive(1.0)
    assert [event.flags for event in bob.events_of(SpeakingChanged)] == [1]
    assert pair.server.stats()[0].packets_bad == {}


def test_stopping_sends_five_frames_of_silence_20_ms_apart_then_speaking_0() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 10)
    pair.drive(0.2)
    stop_and_drive(pair, alice)
    assert sent_frames(pair, bob)[10:] == [SILENCE_FRAME] * 5
    arrivals = [frame.arrived for frame in bob.frames[9:]]
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    assert gaps == pytest.approx([0.02] * 5)
    assert [event.flags for event in bob.events_of(SpeakingChanged)] == [1, 0]
    assert len(alice.events_of(AudioStopped)) == 1
    times = [frame.rtp_time for frame in bob.frames]
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {960}


def test_audio_in_the_middle_of_the_silence_cancels_the_rest() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 5)
    pair.drive(0.1)
    pair.stop_audio(alice)
    pair.drive(0.05)
    before = len(bob.frames)
    assert 5 < before < 10
    pair.play(alice, 5)
    pair.drive(1.0)
    assert sent_frames(pair, bob)[before:] == [opus_frame(n) for n in range(5)]
    assert alice.events_of(AudioStopped) == []
    assert [event.flags for event in bob.events_of(SpeakingChanged)] == [1]


def test_stopping_without_having_sent_is_done_at_once() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    stop_and_drive(pair, alice)
    assert bob.frames == []
    assert len(alice.events_of(AudioStopped)) == 1


def test_a_receive_only_connection_speaks_up_once_and_then_listens() -> None:
    pair = Pair(
        clients=2,
        config=[Config(), Config(receive_only=True)],
        server_config=ServerConfig(receive_after_send=True),
    )
    pair.connect()
    alice, bob = pair.clients
    pair.drive(1.0)
    assert sent_frames(pair, alice) == []  # alice has sent nothing, so she is sent nothing
    assert pair.server.stats()[1].packets_valid == 5
    pair.play(alice, 10)
    pair.drive(1.0)
    assert len(bob.frames) == 10


def test_leaving_closes_both_sockets_and_tells_the_others() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.call(alice, lambda c: c.close(pair.now))
    pair.drive(1.0)
    (closed,) = alice.events_of(Closed)
    assert closed.policy is None
    assert closed.error is None
    assert alice.events[-1] is closed
    assert [event.user_id for event in bob.events_of(UserLeft)] == [alice.connection.info.user_id]
    assert alice.connection.is_closed
    assert alice.connection.next_timeout() is None
    assert pair.server.stats()[0].close_code == 1000


# -- who is there ------------------------------------------------------------------


def test_everybody_is_told_who_is_there() -> None:
    pair = Pair(clients=3)
    pair.connect()
    ids = {client.connection.info.user_id for client in pair.clients}
    for client in pair.clients:
        others = {event.user_id for event in client.events_of(UserJoined)}
        assert others == ids - {client.connection.info.user_id}


def test_ssrcs_lead_to_users_and_back() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 3)
    pair.drive(0.5)
    user_id, ssrc = alice.connection.info.user_id, alice.connection.ssrc
    assert ssrc is not None
    assert bob.connection.user_of(ssrc) == user_id
    assert bob.connection.ssrcs_of(user_id) == (ssrc,)
    assert bob.connection.user_of(ssrc ^ 1) is None


def test_speaking_is_derived_from_packets_and_a_timer() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    for _ in range(3):  # op 5 comes once, talk spurts three times
        pair.play(alice, 20)
        pair.drive(2.0)
    assert len(bob.events_of(SpeakingStarted)) == 3
    assert len(bob.events_of(SpeakingStopped)) == 3
    assert len(bob.events_of(SpeakingChanged)) == 1


# -- losing things -------------------------------------------------------------------


def test_audio_goes_on_while_the_websocket_is_resumed() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 200)
    pair.drive(1.0)
    pair.drop_websocket(alice, 4015)
    pair.drive(5.0)
    assert len(bob.frames) == 200
    assert [frame.sequence for frame in bob.frames] == sorted(
        {frame.sequence for frame in bob.frames}
    )
    assert len(alice.events_of(Reconnecting)) == 1
    assert len(alice.events_of(SessionResumed)) == 1
    assert len(alice.events_of(SessionReady)) == 1
    stats = alice.connection.stats()
    assert stats.resumes == 1
    assert stats.drops == {}


def test_speaking_up_while_resuming_waits_for_the_gateway() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.drop_websocket(alice)
    pair.drive(0.01)
    pair.play(alice, 100)
    pair.drive(5.0)
    assert 0 < len(bob.frames) < 100
    assert len(bob.frames) + alice.unsent == 100
    assert alice.connection.stats().drops == {"not_ready": alice.unsent}
    assert pair.server.stats()[0].packets_bad == {}  # none before Speaking


def test_a_broken_udp_socket_is_opened_anew() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 100)
    pair.drive(0.5)
    pair.fail_udp(alice)
    pair.drive(5.0)
    assert len(bob.frames) + alice.unsent == 100
    assert len(bob.frames) > 70
    assert alice.connection.is_ready


def test_keepalives_go_on_over_a_new_udp_socket() -> None:
    pair = Pair(clients=1)
    pair.connect()
    (alice,) = pair.clients
    pair.drive(20.0)
    pair.fail_udp(alice)
    pair.drive(30.0)
    (session,) = pair.server.stats()
    assert 10 <= session.keepalives <= 12
    assert alice.connection.is_ready


def test_an_address_found_while_resuming_is_told_afterwards() -> None:
    """A new network interface: WebSocket and UDP break at once."""
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    alice.refuse_websockets = 3  # UDP is back first
    pair.drop_websocket(alice)
    pair.fail_udp(alice)
    pair.drive(20.0)
    assert len(alice.events_of(SessionResumed)) == 1
    pair.play(bob, 20)
    pair.drive(1.0)
    assert len(alice.frames) == 20


def test_a_udp_socket_that_never_opens_ends_the_call_with_the_reason() -> None:
    pair = Pair(clients=1)
    (alice,) = pair.clients
    alice.refuse_udp = 1000
    pair.start(alice)
    pair.drive(60.0)
    (closed,) = alice.events_of(Closed)
    assert isinstance(closed.error, ConnectFailed)
    assert closed.error.stage == "udp"
    assert closed.error.attempts == Config().max_attempts


def test_blocked_udp_ends_the_call_after_ten_tries() -> None:
    pair = Pair(clients=1)
    (alice,) = pair.clients
    alice.uplink.loss = 1.0
    pair.start(alice)
    pair.drive(20.0)
    (closed,) = alice.events_of(Closed)
    assert isinstance(closed.error, ConnectFailed)
    assert (closed.error.stage, closed.error.attempts) == ("udp_discovery", 10)


def test_no_common_mode_ends_the_call() -> None:
    pair = Pair(
        clients=1,
        config=Config(modes=("aead_xchacha20_poly1305_rtpsize",)),
        server_config=ServerConfig(modes=("aead_aes256_gcm_rtpsize",)),
    )
    (alice,) = pair.clients
    pair.start(alice)
    pair.drive(1.0)
    (closed,) = alice.events_of(Closed)
    assert isinstance(closed.error, ModeUnavailable)


def test_a_lost_session_asks_the_host_and_sends_nothing_meanwhile() -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, _ = pair.clients
    pair.play(alice, 100)
    pair.drive(0.5)
    pair.drop_websocket(alice, 4006)
    pair.drive(1.0)
    assert len(alice.events_of(NeedNewSession)) == 1
    assert alice.connection.state is GatewayState.AWAITING_SESSION
    assert alice.connection.ssrc is None
    assert not alice.connection.is_ready
    assert alice.unsent > 0


def test_a_kick_waits_for_the_host_and_ends_with_its_null_channel() -> None:
    pair = Pair(clients=1)
    pair.connect()
    (alice,) = pair.clients
    pair.drop_websocket(alice, 4014)
    pair.drive(1.0)
    assert len(alice.events_of(WaitingForUpdate)) == 1
    pair.call(alice, lambda c: c.update_voice_state(None, "session", pair.now))
    pair.drive(0.1)
    assert len(alice.events_of(Closed)) == 1


# -- timers ---------------------------------------------------------------------------


def test_keepalives_leave_every_five_seconds_from_the_start() -> None:
    connection, log = lone_connection()
    ready = log.now
    for _ in range(20):
        due = connection.next_timeout()
        assert due is not None
        log.run(connection, due)
    keepalives = [(when, data) for when, data in log.datagrams if len(data) == 8]
    assert keepalives[0][0] == ready
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(keepalives)]
    assert gaps == pytest.approx([5.0] * len(gaps))
    assert [struct.unpack("<II", data)[0] for _, data in keepalives] == list(range(len(keepalives)))


def test_a_late_timer_is_told_in_the_statistics_and_does_not_burst() -> None:
    connection, log = lone_connection()
    connection.send_audio(opus_frame(), log.now)
    connection.stop_audio(log.now)
    log.drain(connection)
    log.run(connection, log.now + 10.0)
    silence = [data for when, data in log.datagrams if when == log.now and len(data) > 8]
    assert len(silence) == 1
    assert connection.stats().max_timer_lateness > 5.0


# -- wrong calls ------------------------------------------------------------------------


def test_starting_twice_is_refused() -> None:
    connection, log = lone_connection()
    with pytest.raises(LocalProtocolError):
        connection.start(log.now)


def test_two_threads_do_not_get_in_at_once() -> None:
    """The flag is set while one is inside: a call from within a call shows it."""
    refused: list[LocalProtocolError] = []

    class Reentrant(Random):
        def uniform(self, a: float, b: float) -> float:
            thread = threading.Thread(target=self.intrude)
            thread.start()
            thread.join()
            return super().uniform(a, b)

        def intrude(self) -> None:
            for call in (
                lambda: connection.send_audio(opus_frame(), 1.0),
                lambda: connection.seal_audio(opus_frame(), 1.0),
                lambda: connection.open_datagram(b"", 1.0),
                lambda: connection.handle_timeout(1.0),
            ):
                try:
                    call()
                except LocalProtocolError as error:
                    refused.append(error)

    connection = VoiceConnection(Pair.info(1), random=Reentrant(1))
    connection.start(0.0)
    output = connection.poll()
    assert isinstance(output, OpenWebSocket)
    connection.websocket_failed(output.link, "refused", 0.0)  # back-off draws a number
    assert len(refused) == 4
    connection.handle_timeout(connection.next_timeout() or 0.0)
    assert isinstance(connection.poll(), Reconnecting | OpenWebSocket)


def test_sending_without_a_session_is_counted_not_raised() -> None:
    connection = VoiceConnection(Pair.info(1), config=Config(report_drops=True))
    assert connection.send_audio(opus_frame(), 0.0) is False
    assert connection.seal_audio(opus_frame(), 0.0) is None
    assert connection.stats().drops == {"not_ready": 2}
    assert isinstance(connection.poll(), PacketDropped)


def test_a_datagram_of_an_old_socket_is_counted() -> None:
    connection, log = lone_connection()
    connection.receive_datagram(99, b"x" * 50, log.now)
    assert connection.stats().drops == {"stale_link": 1}


def test_a_host_that_does_not_poll_loses_audio_and_nothing_else() -> None:
    pair = Pair(clients=2, config=[Config(), Config(max_pending=50)])
    pair.connect()
    alice, bob = pair.clients
    connection = bob.connection
    for number in range(200):
        datagram = pair.call(alice, lambda c, n=number: c.seal_audio(opus_frame(n), pair.now))
        assert datagram is not None
        pair.drive(0.02)
    assert len(bob.frames) == 0  # sealed only: nothing was sent
    assert connection.stats().drops == {}


@pytest.mark.parametrize("flags", [SpeakingFlags.PRIORITY | SpeakingFlags.MICROPHONE, 2])
def test_speaking_flags_are_the_hosts_choice(flags: int) -> None:
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.call(alice, lambda c: c.set_speaking(flags, pair.now))
    pair.play(alice, 3)
    pair.drive(0.5)
    assert [event.flags for event in bob.events_of(SpeakingChanged)] == [flags]


def test_no_secret_in_the_repr() -> None:
    connection, _ = lone_connection()
    info = connection.info
    assert info.token not in repr(connection)
    assert info.session_id not in repr(connection)


def test_the_fast_path_is_the_slow_path() -> None:
    """`seal_audio` and `open_datagram` share every counter with their queued siblings."""
    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 1)
    pair.drive(0.1)
    sealed = []
    for number in range(10):
        datagram = alice.connection.seal_audio(opus_frame(number), pair.now)
        assert datagram is not None
        sealed.append(datagram)
    assert alice.connection.poll() is None
    # Out of reach of the server: hand its own packet for bob to bob's fast path.
    before = alice.connection.stats().packets_sent
    assert before == 11
    assert bob.connection.open_datagram(b"\0" * 30, pair.now) is None
    assert sum(bob.connection.stats().drops.values()) == 1


class Log:
    """What a lone connection sends, and when."""

    def __init__(self) -> None:
        self.now = 100.0
        self.datagrams: list[tuple[float, bytes]] = []
        self.texts: list[str] = []

    def run(self, connection: VoiceConnection, now: float) -> None:
        self.now = now
        connection.handle_timeout(now)
        self.drain(connection)

    def drain(self, connection: VoiceConnection) -> list[object]:
        outputs: list[object] = []
        while (output := connection.poll()) is not None:
            outputs.append(output)
            match output:
                case SendDatagram(data=data):
                    self.datagrams.append((self.now, data))
                case SendText(link, text):
                    self.texts.append(text)
                    if text.startswith('{"op":3'):  # answer heartbeats, or it is a zombie
                        nonce = text.split('"t":')[1].split(",")[0]
                        ack = f'{{"op":6,"d":{{"t":{nonce}}}}}'
                        connection.receive_text(link, ack, self.now)
        return outputs


def connection_mode(select_protocol: str) -> str:
    return str(json.loads(select_protocol)["d"]["data"]["mode"])


def lone_connection(config: Config | None = None) -> tuple[VoiceConnection, Log]:
    """A connection that was led to a session by hand, message by message."""
    log = Log()
    now = log.now
    connection = VoiceConnection(Pair.info(1), config=config, random=Random(1))
    connection.start(now)
    (opened,) = log.drain(connection)
    assert isinstance(opened, OpenWebSocket)
    connection.websocket_opened(opened.link, now)
    connection.receive_text(opened.link, '{"op":8,"d":{"heartbeat_interval":13750.5}}', now)
    modes = '["aead_xchacha20_poly1305_rtpsize","aead_aes256_gcm_rtpsize"]'
    ready = f'{{"op":2,"d":{{"ssrc":7,"ip":"192.0.2.1","port":5000,"modes":{modes}}}}}'
    connection.receive_text(opened.link, ready, now)
    udp = log.drain(connection)[-1]
    assert isinstance(udp, OpenUdp)
    connection.udp_opened(udp.link, now)
    log.drain(connection)
    reply = struct.pack(">HHI64sH", 2, 70, 7, b"198.51.100.7", 4000)
    connection.receive_datagram(udp.link, reply, now)
    log.drain(connection)
    mode = (
        "aead_aes256_gcm_rtpsize"
        if "aes256" in log.texts[-1]
        else "aead_xchacha20_poly1305_rtpsize"
    )
    key = list(range(32))
    described = f'{{"op":4,"d":{{"mode":"{mode}","secret_key":{key},"dave_protocol_version":0}}}}'
    connection.receive_text(opened.link, described, now)
    log.drain(connection)
    assert connection.is_ready
    assert not any(isinstance(output, CloseUdp) for output in log.drain(connection))
    return connection, log
