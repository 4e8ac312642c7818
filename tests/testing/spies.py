"""Connections and links that let a test see what nobody else may."""

import json

from voicekit._crypto import TransportCipher
from voicekit.connection import VoiceConnection
from voicekit.errors import VoicekitError
from voicekit.link import Link

PORT_SIZE = 2  # the pair writes the port in front of each datagram
SEALED_SIZE = 12 + 16 + 4  # the shortest sealed packet: header, tag, nonce


class KeyCatcher(VoiceConnection):
    """A connection that shows its transport keys."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.keys: list[tuple[str, bytes]] = []

    def receive_text(self, link: int, text: str, now: float) -> None:
        try:
            message = json.loads(text)
            if message["op"] == 4:
                self.keys.append((message["d"]["mode"], bytes(message["d"]["secret_key"])))
        except (ValueError, TypeError, KeyError, RecursionError):
            pass  # hostile on purpose; the connection judges it
        super().receive_text(link, text, now)


class NonceWatch:
    """Every nonce that was used under every key, in both directions together.

    Which key a datagram was sealed under is found by trying: keys change while some are on
    their way.
    """

    def __init__(self) -> None:
        self.connections: list[VoiceConnection] = []  # KeyCatchers, or recorders of them
        self.count = 0
        self._waiting: list[bytes] = []
        self._used: set[tuple[bytes, int]] = set()
        self._ciphers: dict[tuple[str, bytes], TransportCipher] = {}

    def see(self, datagram: bytes) -> None:
        """Take note of a datagram that one side has sealed."""
        if len(datagram) >= SEALED_SIZE and datagram[0] >> 6 == 2:
            self._waiting.append(datagram)

    def check(self) -> None:
        """Fail if a nonce was used twice."""
        for mode, key in {pair for one in self.connections for pair in _keys(one)}:
            if (mode, key) not in self._ciphers:
                self._ciphers[mode, key] = TransportCipher(mode, key)
        for datagram in self._waiting:
            for (_, key), cipher in self._ciphers.items():
                if _opens(cipher, datagram):
                    nonce = int.from_bytes(datagram[-4:], "big")
                    assert (key, nonce) not in self._used, f"nonce {nonce:#x} is used twice"
                    self._used.add((key, nonce))
                    self.count += 1
        self._waiting.clear()


class NonceWatchedLink(Link):
    """A link that shows each datagram to a `NonceWatch`, before any harm comes to it."""

    watch: NonceWatch

    def send(self, data: bytes | bytearray | memoryview, now: float) -> None:
        self.watch.see(bytes(data)[PORT_SIZE:])
        super().send(data, now)


def _keys(connection: VoiceConnection) -> list[tuple[str, bytes]]:
    return connection.keys  # type: ignore[attr-defined,no-any-return]


def _opens(cipher: TransportCipher, datagram: bytes) -> bool:
    rtcp = 192 <= datagram[1] <= 223
    clear = 8 if rtcp else 12 + 4 * (datagram[0] & 15) + (4 if datagram[0] & 16 else 0)
    try:
        cipher.open(datagram, clear)
    except VoicekitError:
        return False
    return True
