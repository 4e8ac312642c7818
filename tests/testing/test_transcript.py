"""A session as JSON lines: complete enough to be repeated, and clean enough to be shown."""

import base64
import io
import json
from random import Random

import pytest

from tests.testing.spies import KeyCatcher
from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.errors import LocalProtocolError
from voicekit.events import SessionReady, SessionResumed
from voicekit.server import ServerConfig
from voicekit.server_info import VoiceServerInfo
from voicekit.testing import Pair, opus_frame, record, replay


class Recording:
    """A call of two, both recorded, with all that a call can have in it."""

    def __init__(self) -> None:
        self.files: list[io.StringIO] = []
        self.pair = Pair(
            clients=2,
            config=[
                # Without end-to-end encryption: MLS draws numbers that no replay can repeat.
                Config(gateway_version=9, rtcp=True, dave=False),
                Config(report_drops=True, dave=False),
            ],
            server_config=ServerConfig(
                rtcp=True, undocumented=True, extensions=("audio_level",), padding=5
            ),
            websocket_delay=0.01,
            make_connection=self._connection,
        )
        pair = self.pair
        pair.connect()
        alice, bob = pair.clients
        for client in pair.clients:
            pair.play(client, 10)
        pair.drive(1.0)
        pair.drop_websocket(alice)  # resumed, under the old key
        pair.stop_audio(bob)
        pair.drive(20.0)
        pair.server.faults.malformed("json", pair.now)
        pair.drain()
        pair.drive(0.1)
        bob.connection.receive_datagram(bob.udp_link, b"\x80\x78" + bytes(60), pair.now)
        pair.drain(bob)
        with pytest.raises(LocalProtocolError):
            alice.connection.start(pair.now)
        for client in pair.clients:  # another token, another key
            pair.server.faults.move(5, pair.now, user_id=client.connection.info.user_id)
        pair.drain()
        pair.drive(1.0)
        pair.play(alice, 10)
        pair.drive(1.0)
        for client in pair.clients:
            pair.call(client, lambda connection: connection.close(pair.now))
        pair.drive(1.0)

    def _connection(self, info: VoiceServerInfo, config: Config, random: Random) -> VoiceConnection:
        self.files.append(io.StringIO())
        seed = random.getrandbits(32)
        return record(info, self.files[-1], config=config, seed=seed, make_connection=KeyCatcher)

    @property
    def texts(self) -> list[str]:
        return [file.getvalue() for file in self.files]

    def secrets(self) -> set[str]:
        """Everything that must not be seen, in every spelling that comes to mind."""
        found = set()
        for client in self.pair.clients:
            info = client.connection.info
            words = [info.token, info.session_id, client.host, "192.0.2.1"]
            keys = [key for _, key in client.connection.keys]  # type: ignore[attr-defined]
            for secret in [word.encode() for word in words] + keys:
                found |= {
                    secret.decode("latin-1"),
                    secret.hex(),
                    base64.b64encode(secret).decode().rstrip("=")[:-1],
                    json.dumps(list(secret)),
                    json.dumps(list(secret), separators=(",", ":")),
                    repr(secret)[2:-1],
                }
            # A part of a key is a secret as well.
            found |= {json.dumps(list(key[:8]), separators=(",", ":"))[1:-1] for key in keys}
        return found


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording()


def test_a_replay_of_a_whole_call_does_the_same(recording: Recording) -> None:
    for text in recording.texts:
        assert replay(text.splitlines()) == []


def test_the_call_had_in_it_what_calls_have(recording: Recording) -> None:
    alice, bob = recording.pair.clients
    assert len(alice.events_of(SessionReady)) == 2
    assert len(alice.events_of(SessionResumed)) == 1
    assert len(bob.frames) == 20
    keys = alice.connection.keys  # type: ignore[attr-defined]
    assert len(keys) == 2
    both = "".join(recording.texts)
    for name in (
        "AudioFrame",
        "RtcpReceived",
        "ProtocolViolation",
        "PacketDropped",
        "SendDatagram",
    ):
        assert f'"{name}"' in both
    assert '"raises":"AlreadyConnected"' in both


def test_no_secret_is_in_a_transcript_in_any_spelling(recording: Recording) -> None:
    secrets = recording.secrets()
    for text in recording.texts:
        assert [secret for secret in secrets if secret in text] == []
        lines = [json.loads(line) for line in text.splitlines()]
        binary = b"".join(
            bytes.fromhex(value["hex"])
            for line in lines
            for value in line.values()
            if isinstance(value, dict) and "hex" in value
        )
        assert [s for s in secrets if len(s) > 6 and s.encode("latin-1") in binary] == []


def test_the_audio_is_in_a_transcript(recording: Recording) -> None:
    lines = [json.loads(line) for line in recording.texts[1].splitlines()]
    frames = [line for line in lines if line.get("event") == "AudioFrame"]
    assert [bytes.fromhex(frame["opus"]["hex"]) for frame in frames[:10]] == [
        opus_frame(number) for number in range(10)
    ]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("AudioFrame", {"sequence": -1}),
        ("SessionReady", {"mode": "another"}),
        ("SendText", {"text": '{"op":0,"d":{}}'}),
        ("SendDatagram", {"data": {"hex": "00"}}),
    ],
)
def test_what_came_out_differently_is_told_with_its_line(
    recording: Recording, name: str, change: dict[str, object]
) -> None:
    lines = recording.texts[1].splitlines()
    number, line = next(
        (number, json.loads(line))
        for number, line in enumerate(lines)
        if name in (json.loads(line).get("event"), json.loads(line).get("output"))
    )
    lines[number] = json.dumps(line | change)
    (difference,) = replay(lines)
    assert difference.line == number + 1
    assert difference.recorded == line | change
    assert difference.replayed != difference.recorded


def test_an_output_that_is_missing_from_the_recording_is_told(recording: Recording) -> None:
    lines = recording.texts[0].splitlines()
    while "call" in json.loads(lines[-1]):
        lines.pop()
    last = json.loads(lines.pop())
    (difference,) = replay(lines)
    assert difference.recorded is None
    assert difference.replayed == last


def test_the_fast_path_is_recorded_as_well() -> None:
    files: list[io.StringIO] = []

    def connection(info: VoiceServerInfo, config: Config, random: Random) -> VoiceConnection:
        files.append(io.StringIO())
        return record(info, files[-1], config=config, seed=1)

    pair = Pair(clients=2, make_connection=connection)
    pair.connect()
    alice, bob = (client.connection for client in pair.clients)
    alice.set_speaking(1, pair.now)
    pair.drain(pair.clients[0])
    pair.drive(0.1)
    datagram = alice.seal_audio(opus_frame(1), pair.now)
    assert datagram is not None
    # Keys differ by client, so that one's datagram is nothing to the other.
    assert bob.open_datagram(datagram, pair.now) is None
    for file in files:
        assert replay(file.getvalue().splitlines()) == []
    assert '"call":"seal_audio"' in files[0].getvalue()
    assert '"call":"open_datagram"' in files[1].getvalue()
    assert datagram.hex() not in files[0].getvalue()


@pytest.mark.parametrize("lines", [[], ["{}"], ['{"voicekit": "transcript", "version": 99}']])
def test_what_is_no_transcript_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="not a transcript"):
        replay(lines)
