"""Connections that are really in a call, for measuring what a packet costs there.

Two clients and a voice server on a virtual clock (`voicekit.testing.Pair`), with everything that
the default configuration switches on: statistics, the media clock, the map of SSRCs, the seam of
end-to-end encryption, and behind it a real MLS group where that is asked for.
"""

from collections.abc import Iterable
from itertools import count

import dave

from voicekit._crypto import TransportCipher
from voicekit._extensions import audio_level_element, speaker_flags_element
from voicekit._rtp import seal_packet
from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.dave.libdave import Backend
from voicekit.dave.machine import DaveMachine
from voicekit.events import AudioFrame
from voicekit.server import ServerConfig, VoiceServer
from voicekit.server_info import VoiceServerInfo
from voicekit.testing import Pair

from .libraries import CIPHERS

__all__ = ["PAYLOAD", "Call", "Speaker", "server_cipher"]

#: 20 ms of Opus at 64 kbit/s, which is what a voice channel gives: 160 bytes. The first is the
#: TOC of a stereo CELT frame.
PAYLOAD = b"\xfc" + bytes(range(159))
#: What Discord's servers put before audio: a level and the speaker's flags.
EXTENSION = (audio_level_element(30), speaker_flags_element(1))
SAMPLES = 960
#: libdave looks a codec up by it, and nothing else.
DAVE_SSRC = 1
#: Seconds for which a Decryptor keeps a key.
KEEP = 1e9


class Call:
    """A call of two with one transport cipher: "aes" or "xchacha".

    ``dave``: encrypted end to end, by the ``library`` "dave.py" or "davey".
    """

    def __init__(self, cipher: str, *, dave: bool = False, library: str = "dave.py") -> None:
        mode = CIPHERS[cipher]
        config = Config(modes=(mode,), dave_backend=library)
        server = ServerConfig(modes=(mode,))
        self._pair = pair = Pair(clients=2, config=config, server_config=server, dave=dave)
        pair.connect()
        sender, receiver = pair.clients
        for client in pair.clients:
            pair.play(client, 3)
        pair.drive(5.0 if dave else 1.0)
        self.sender: VoiceConnection = sender.connection
        self.receiver: VoiceConnection = receiver.connection
        #: The state machines of the end-to-end encryption: the sender's, the receiver's.
        self.machines = [_machine(client.connection) for client in pair.clients]
        assert all(machine.encrypted is dave for machine in self.machines)
        assert len(receiver.frames) >= 3
        self._speaker = Speaker(server_cipher(pair.server, self.receiver.info), receiver.frames[-1])
        self._dave = dave

    @property
    def now(self) -> float:
        """The virtual time: what the connections take as ``now``."""
        return self._pair.now

    @property
    def receiver_key(self) -> bytes:
        """The transport key of what `packets` returns."""
        described = self.receiver._described
        assert described is not None
        return bytes(described.secret_key)

    def check(self) -> None:
        """Raise `AssertionError` if the receiver dropped or lost anything of `packets`."""
        stats = self.receiver.stats()
        lost = {ssrc: stream.lost for ssrc, stream in stats.streams.items() if stream.lost}
        assert not stats.drops, stats.drops
        assert not lost, lost

    def end_to_end(self, opus: bytes) -> bytes:
        """Encrypt a frame as the sender would, or not, end to end."""
        if not self._dave:
            return opus
        frame: bytes | None = self.sender._dave.encrypt(opus)
        assert frame is not None
        assert frame != opus
        return frame

    def encryptor(self) -> dave.Encryptor:
        """Return an Encryptor of libdave with the sender's key."""
        encryptor = dave.Encryptor()
        encryptor.assign_ssrc_to_codec(DAVE_SSRC, dave.Codec.opus)
        encryptor.set_key_ratchet(_ratchet(_libdave(self.machines[0]).send_key()))
        return encryptor

    def decryptor(self) -> dave.Decryptor:
        """Return a Decryptor of libdave with the receiver's key for the sender."""
        session = _libdave(self.machines[1])._session
        decryptor = dave.Decryptor()
        ratchet = _ratchet(session.get_key_ratchet(str(self.sender.info.user_id)))
        decryptor.transition_to_key_ratchet(ratchet, KEEP)
        return decryptor

    def packets(self, n: int, *, extension: bool = False) -> list[bytes]:
        """Return the next ``n`` datagrams that the server would send to the receiver."""
        frames = [self.end_to_end(PAYLOAD) for _ in range(n)]
        return self._speaker.datagrams(frames, EXTENSION if extension else ())


class Speaker:
    """Who is heard: makes the datagrams that a server would send on, one after the other.

    ``last`` is a frame of that speaker, from which the numbers go on.
    """

    def __init__(self, cipher: TransportCipher, last: AudioFrame) -> None:
        self._cipher = cipher
        self._ssrc = last.ssrc
        self._numbers = count(last.sequence + 1)

    def datagrams(
        self, frames: Iterable[bytes], extensions: Iterable[tuple[int, bytes]] = ()
    ) -> list[bytes]:
        """Return a datagram for each frame."""
        extensions = tuple(extensions)
        return [
            seal_packet(
                self._cipher,
                sequence=number & 0xFFFF,
                timestamp=number * SAMPLES & 0xFFFFFFFF,
                ssrc=self._ssrc,
                payload=frame,
                extensions=extensions,
            )
            for frame, number in zip(frames, self._numbers, strict=False)
        ]


def server_cipher(server: VoiceServer, info: VoiceServerInfo) -> TransportCipher:
    """Return the cipher with which a server seals what it sends to a client."""
    key = server._board.sessions[info.server_id, info.user_id].key
    assert key is not None
    return key.cipher


def _machine(connection: VoiceConnection) -> DaveMachine:
    assert isinstance(connection._dave, DaveMachine)
    return connection._dave


def _libdave(machine: DaveMachine) -> Backend:
    assert isinstance(machine._backend, Backend)
    return machine._backend


def _ratchet(key: object) -> dave.IKeyRatchet:
    assert isinstance(key, dave.IKeyRatchet)
    return key
