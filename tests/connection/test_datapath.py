"""The short ways of packets through a connection do what the long ones do."""

import pytest

from voicekit import Config, VoiceConnection
from voicekit._datagrams import DatagramBatch
from voicekit._datapath import Datapath
from voicekit.codes import SILENCE_FRAME
from voicekit.dave import Passthrough
from voicekit.errors import LocalProtocolError
from voicekit.events import AudioStopped, PacketDropped, SpeakingStarted
from voicekit.outputs import SendText
from voicekit.testing import Client, Pair, opus_frame

from ..session.peers import ALICE, ALICES, Server, ready_session

VOICE = opus_frame(1)


def ready(**options: object) -> tuple[Pair, Client, Client]:
    """A pair that has not sent any audio yet."""
    pair = Pair(clients=2, config=Config(**options))  # type: ignore[arg-type]
    pair.connect()
    return pair, *pair.clients


def sealed(pair: Pair, speaker: Client, count: int) -> list[bytes]:
    """Datagrams of a speaker as the server passes them on, before anybody has heard any."""
    caught: list[bytes] = []
    pair.play(speaker, count)
    listener = next(client for client in pair.clients if client is not speaker)
    receive = listener.connection.receive_datagram

    def catch(link: int, data: bytes, now: float) -> None:
        caught.append(bytes(data))

    listener.connection.receive_datagram = catch  # type: ignore[method-assign]
    pair.drive(count * 0.02 + 0.1)
    listener.connection.receive_datagram = receive  # type: ignore[method-assign]
    media = [data for data in caught if len(data) > 40]
    assert len(media) == count
    return media


def polled(connection: VoiceConnection) -> list[object]:
    return list(iter(connection.poll, None))


# -- out ---------------------------------------------------------------------------


def test_speaking_is_polled_before_the_first_batch_is_sent() -> None:
    _, first, _ = ready()
    assert len(first.connection.seal_many([VOICE] * 3, 1.0)) == 3
    (speaking,) = polled(first.connection)
    assert isinstance(speaking, SendText)
    assert '"op":5' in speaking.text.replace(" ", "")
    assert len(first.connection.seal_many([VOICE] * 3, 1.1)) == 3
    assert polled(first.connection) == []


def test_a_connection_that_is_not_ready_drops_a_batch() -> None:
    (client,) = Pair(clients=1).clients
    assert client.connection.seal_many([VOICE, VOICE], 0.0) == []
    assert client.connection.stats().drops == {"not_ready": 2}


def test_what_is_dropped_of_a_batch_is_reported_at_once() -> None:
    _, first, _ = ready(report_drops=True)
    assert len(first.connection.seal_many([VOICE, b"", VOICE], 1.0)) == 2
    reported = polled(first.connection)
    assert [item.reason for item in reported if isinstance(item, PacketDropped)] == ["bad_frame"]


def test_audio_that_goes_on_cancels_the_silence_that_was_to_end_it() -> None:
    pair, first, _ = ready()
    pair.play(first, 3)
    pair.drive(0.06)
    pair.stop_audio(first)
    assert first.connection.seal_audio(VOICE, pair.now) is not None
    pair.drive(1.0)
    assert first.events_of(AudioStopped) == []


def test_silence_follows_the_last_frame_that_was_sealed() -> None:
    pair, first, _ = ready()
    pair.call(first, lambda connection: connection.seal_audio(VOICE, pair.now))
    now = pair.now
    pair.stop_audio(first)
    assert first.connection.next_timeout() == pytest.approx(now + 0.02)


# -- in ------------------------------------------------------------------------------


@pytest.mark.parametrize("road", ["open_datagram", "open_many", "receive_batch", "receive"])
def test_every_road_brings_the_same_frames_and_events(road: str) -> None:
    pair, speaker, listener = ready()
    connection = listener.connection
    datagrams = [*sealed(pair, speaker, 5), bytes(40)]
    now = pair.now
    polled(connection)
    if road == "open_datagram":
        frames = [connection.open_datagram(data, now) for data in datagrams]
    elif road == "open_many":
        frames = [*connection.open_many(datagrams, now)]
    elif road == "receive_batch":
        batch = DatagramBatch()
        for data in datagrams:
            batch.append(data)
        frames = [*connection.receive_batch(listener.udp_link, batch, now)]
    else:
        frames = []
        for data in datagrams:
            connection.receive_datagram(listener.udp_link, data, now)
            frames.append(connection.poll())
    assert [frame.opus for frame in frames if frame is not None and hasattr(frame, "opus")] == [
        opus_frame(number) for number in range(5)
    ]
    assert connection.stats().drops == {"bad_version": 1}
    assert connection.stats().packets_received == 5


def test_a_batch_of_a_replaced_socket_is_dropped_and_counted() -> None:
    pair, speaker, listener = ready()
    batch = DatagramBatch()
    for data in sealed(pair, speaker, 3):
        batch.append(data)
    assert listener.connection.receive_batch(listener.udp_link + 1, batch, pair.now) == []
    assert listener.connection.stats().drops == {"stale_link": 3}


def test_a_batch_before_our_address_is_known_may_hold_the_answer() -> None:
    pair = Pair(clients=1)
    (client,) = pair.clients
    answers: list[tuple[int, bytes]] = []
    connection = client.connection
    connection.receive_datagram = (  # type: ignore[method-assign]
        lambda link, data, now: answers.append((link, bytes(data)))
    )
    pair.start(client)
    while not answers:
        pair.step()
    del connection.receive_datagram
    link, answer = answers[0]
    batch = DatagramBatch()
    batch.append(b"noise")
    batch.append(answer)
    pair.call(client, lambda c: c.receive_batch(link, batch, pair.now))
    pair.drive(1.0)
    assert connection.is_ready


def test_frames_of_a_user_who_left_are_no_frames() -> None:
    pair, speaker, listener = ready()
    datagrams = sealed(pair, speaker, 2)
    connection = listener.connection
    connection._rtp.remove_user(speaker.connection.info.user_id, pair.now)
    assert connection.open_many(datagrams, pair.now) == []
    assert connection.stats().drops == {"user_left": 2}


class Refiller(Passthrough):
    """Tries to fill a batch while it is read: decryption is where other code may run."""

    def __init__(self, batch: DatagramBatch) -> None:
        self.batch = batch
        self.refused = 0

    def decrypt(self, user_id: int, frame: bytes, now: float, /) -> bytes:
        for change in (self.batch.clear, lambda: self.batch.append(b"")):
            with pytest.raises(LocalProtocolError, match="being read"):
                change()
            self.refused += 1
        return frame


def test_a_batch_is_not_refilled_while_it_is_read() -> None:
    batch = DatagramBatch()
    dave = Refiller(batch)
    path = Datapath(ready_session(dave=dave), 100)
    path._open_ways(True, 1, None)
    path._rtp.map_ssrc(ALICES, ALICE, 0.0)
    batch.append(Server().packet(ALICES, 1))
    (frame,) = path.receive_batch(1, batch, 0.0)
    assert frame.user_id == ALICE
    assert dave.refused == 2
    batch.clear()


def test_a_full_queue_loses_audio_first() -> None:
    pair, speaker, listener = ready(max_pending=3)
    datagrams = sealed(pair, speaker, 5)
    polled(listener.connection)
    for data in datagrams:
        listener.connection.receive_datagram(listener.udp_link, data, pair.now)
    items = polled(listener.connection)
    assert sum(isinstance(item, SpeakingStarted) for item in items) == 1
    assert len(items) == 3
    assert listener.connection.stats().drops == {"queue_overflow": 3}


# -- one caller at a time ------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [None, "text", 7])
def test_a_wrong_call_leaves_the_connection_open(wrong: object) -> None:
    _, first, _ = ready()
    connection = first.connection
    for call in (
        lambda: connection.seal_audio(wrong, 1.0),
        lambda: connection.send_audio(wrong, 1.0),
        lambda: connection.seal_many(wrong, 1.0),
        lambda: connection.open_datagram(wrong, 1.0),
        lambda: connection.open_many(wrong, 1.0),
        lambda: connection.receive_batch(1, wrong, 1.0),
    ):
        with pytest.raises(TypeError):
            call()
    assert connection.seal_audio(SILENCE_FRAME, 1.0) is not None
