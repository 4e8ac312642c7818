"""Take the secrets out of a session without taking it out of working order.

Each secret gets a stand-in of its own, the same one every time: a masked session is still
a session. Addresses become addresses of a range that no host has, keys become dummy keys,
and datagrams are opened with the true key and sealed again under the dummy.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable

from voicekit._crypto import TransportCipher
from voicekit.errors import VoicekitError

__all__ = ["Mask"]

#: Below this length a secret is masked only where it is a whole value, not inside of text:
#: a test that calls its token "t" would lose every t.
SHORTEST_IN_TEXT = 6
#: Keys whose packets may still be on their way when a new one comes.
KEYS_KEPT = 4

KEY_SIZE = 32
TAG_AND_NONCE = 20
NONCE_SIZE = 4
DISCOVERY_SIZE = 74

_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*)"
)


class _Key:
    """A key that was seen, and its dummy."""

    def __init__(self, mode: str, key: bytes, number: int) -> None:
        self.mode = mode
        self.key = key
        self.cipher = TransportCipher(mode, key)
        self.dummy = hashlib.sha256(f"voicekit transcript key {number}".encode()).digest()


class Mask:
    """Stand-ins for everything that a transcript must not show."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._keys: list[_Key] = []  # newest first
        self._key_count = 0

    # -- values ---------------------------------------------------------------------

    def secret(self, value: str, kind: str) -> str:
        """Return the stand-in for a token or a session id: ``token-1``, ``session_id-2``."""
        if value not in self._words and value:
            self._words[value] = f"{kind}-{self._count(kind)}"
        return self._words.get(value, value)

    def host(self, host: str) -> str:
        """Return the stand-in for an IP address or a host name."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if host and host not in self._words:
                self._words[host] = f"voice-{self._count('host')}.example"
            return self._words.get(host, host)
        if host not in self._addresses:
            # RFC 2544 and RFC 3849: ranges for measurements and for documentation.
            first = "198.18.0.0" if address.version == 4 else "2001:db8::"
            self._addresses[host] = str(ipaddress.ip_address(first) + self._count(first))
        return self._addresses[host]

    def endpoint(self, endpoint: str) -> str:
        """Return ``endpoint`` with another host; scheme and port stay."""
        scheme, separator, rest = endpoint.rpartition("://")
        host, colon, port = rest.rpartition(":")
        if not colon:
            host, port = rest, ""
        bare = host.strip("[]")
        return f"{scheme}{separator}{host.replace(bare, self.host(bare))}{colon}{port}"

    def text(self, text: str) -> str:
        """Return ``text`` without any secret or address seen so far, nor any other address."""
        if text in self._words:
            return self._words[text]
        for word in sorted(self._words, key=len, reverse=True):
            if len(word) >= SHORTEST_IN_TEXT:
                text = text.replace(word, self._words[word])
        return _ADDRESS.sub(lambda match: self._address_in_text(match[0]), text)

    # -- messages ---------------------------------------------------------------------

    def message(self, text: str) -> str:
        """Return a gateway message (or a part of one) with its secrets replaced.

        What is not JSON keeps its punctuation only: it cannot be said what is in it.
        """
        repeated = False

        def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
            nonlocal repeated
            found = dict(pairs)
            repeated = repeated or len(found) < len(pairs)
            return found

        try:
            value = json.loads(text, object_pairs_hook=members)
        except (ValueError, RecursionError):
            return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", "x", text))
        if isinstance(value, dict) and value.get("op") == 4:
            self._note_key(value.get("d"))
        masked = self.value(value)
        if masked == value and not repeated:
            return text  # to the letter: how a number is written may be what matters
        return json.dumps(masked, ensure_ascii=False, separators=(",", ":"))

    def value(self, value: object, name: str = "") -> object:
        """Return a decoded JSON value masked by the names of its members."""
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item, key) for key, item in value.items()}
        if name == "secret_key":
            return self._masked_key(value)
        if isinstance(value, list):
            return [self.value(item, name) for item in value]
        if not isinstance(value, str):
            return value
        mask = _BY_NAME.get(name)
        return self.text(value) if mask is None else mask(self, value)

    def _masked_key(self, value: object) -> object:
        """Return a dummy of the same length, and just as invalid where it is invalid."""
        if not isinstance(value, list):
            return "x" * len(value) if isinstance(value, str) else value
        known = next((k for k in self._keys if list(k.key) == value), None)
        if known is not None:
            return list(known.dummy)
        return [0 if _is_byte(item) else item for item in value]

    def _note_key(self, data: object) -> None:
        if not isinstance(data, dict):
            return
        mode, key = data.get("mode"), data.get("secret_key")
        if not isinstance(key, list) or len(key) != KEY_SIZE or not all(map(_is_byte, key)):
            return
        if any(list(known.key) == key and known.mode == mode for known in self._keys):
            return
        try:
            known = _Key(str(mode), bytes(key), self._key_count + 1)
        except (VoicekitError, ValueError):
            return  # a mode that nobody has: the connection refuses it as well
        self._key_count += 1
        self._keys.insert(0, known)
        del self._keys[KEYS_KEPT:]

    # -- datagrams ----------------------------------------------------------------------

    def datagram(self, data: bytes) -> bytes:
        """Return a datagram under the dummy key, with the same header, nonce and length.

        One that no key opens keeps its clear header; the rest becomes zeros, which no key
        opens either. Discovery replies get another address.
        """
        if _is_discovery(data):
            end = data.index(0, 8, 72)
            host = self.host(data[8:end].decode("ascii", "replace")).encode()
            return data[:8] + host[:63].ljust(64, b"\0") + data[72:]
        size = _clear_size(data)
        if size is None or len(data) < size + TAG_AND_NONCE:
            return _cut(data, 12 if data[:1] >= b"\x80" else 8)
        opened = self._open(data, size)
        if opened is None:
            return _cut(data, size)
        key, plain = opened
        nonce = int.from_bytes(data[-NONCE_SIZE:], "big")
        cipher = TransportCipher(key.mode, key.dummy, nonce_start=nonce)
        return cipher.seal(data[:size], plain)

    def plain(self, data: bytes) -> bytes:
        """Return header and plaintext of a datagram under a *dummy* key, for comparing.

        The nonce is left out: it starts at a random value. Others come back as they are.
        """
        size = _clear_size(data)
        if size is None or len(data) < size + TAG_AND_NONCE:
            return data
        opened = self._open(data, size)
        return data if opened is None else data[:size] + opened[1]

    def _open(self, data: bytes, size: int) -> tuple[_Key, bytes] | None:
        for key in self._keys:
            try:
                return key, key.cipher.open(data, size)
            except VoicekitError:
                continue
        return None

    # -- the rest -----------------------------------------------------------------------

    def _count(self, kind: str) -> int:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]

    def _address_in_text(self, text: str) -> str:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return text
        # Already a stand-in: a URL is masked once by its host and once more as text.
        return text if text in self._addresses.values() else self.host(text)


_BY_NAME: dict[str, Callable[[Mask, str], str]] = {
    "token": lambda mask, value: mask.secret(value, "token"),
    "session_id": lambda mask, value: mask.secret(value, "session_id"),
    "media_session_id": lambda mask, value: mask.secret(value, "session_id"),
    "ip": Mask.host,
    "address": Mask.host,
    "host": Mask.host,
    "endpoint": Mask.endpoint,
    "url": Mask.text,
}


def _cut(data: bytes, clear: int) -> bytes:
    """Return ``data`` with zeros behind its clear bytes."""
    return data[:clear] + bytes(max(0, len(data) - clear))


def _is_byte(value: object) -> bool:
    return type(value) is int and 0 <= value <= 255


def _is_discovery(data: bytes) -> bool:
    return len(data) == DISCOVERY_SIZE and data[:4] == b"\0\x02\0\x46" and 0 in data[8:72]


def _clear_size(data: bytes) -> int | None:
    """Return how many bytes of an RTP or RTCP packet are in clear; None: it is neither."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    if 192 <= data[1] <= 223:
        return 8
    return 12 + 4 * (data[0] & 0x0F) + (4 if data[0] & 0x10 else 0)
