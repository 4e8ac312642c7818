"""HTTP/1.1 as clients of a REST interface speak it: requests out of bytes, answers into bytes.

RFC 9112, without what no such client uses: trailers, upgrades, several codings.
"""

from http import HTTPStatus
from typing import Any

import msgspec

__all__ = ["BadRequest", "Request", "RequestReader", "Response"]

#: A head of a client that talks to us has a dozen lines; a body is a table of commands.
MAX_HEAD = 1 << 15
MAX_BODY = 1 << 20


class BadRequest(Exception):
    """What came is no request: answer 400 and close."""


class Request(msgspec.Struct, frozen=True):
    """One request with its body."""

    method: str
    target: str
    headers: dict[str, str]  #: names in lower case
    body: bytes

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to ask again on this connection."""
        return self.headers.get("connection", "").lower() != "close"

    def json(self) -> Any:
        """Return the body decoded; None: there is none, or it is no JSON."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None


class Response(msgspec.Struct, frozen=True):
    """An answer: JSON, or nothing at all."""

    status: int
    data: Any = None

    def encode(self) -> bytes:
        """Return it as bytes to send."""
        body = b"" if self.status == 204 else msgspec.json.encode(self.data)
        head = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        if body:
            head += ["Content-Type: application/json"]
        if self.status != 204:
            head += [f"Content-Length: {len(body)}"]
        return "\r\n".join([*head, "", ""]).encode("ascii") + body


class RequestReader:
    """Takes what a connection brings, piece by piece, and gives the requests in it."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._buffer += data

    def next_request(self) -> Request | None:
        """Return a request that is there in full; None: more is needed.

        Raises `BadRequest`.
        """
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest("the head is too large")
            return None
        method, target, headers = _parse_head(bytes(self._buffer[:end]))
        if headers.get("transfer-encoding", "").lower() == "chunked":
            found = self._chunked(end + 4)
        else:
            found = self._plain(end + 4, headers.get("content-length", "0"))
        if found is None:
            return None
        body, length = found
        del self._buffer[:length]
        return Request(method, target, headers, body)

    def _plain(self, start: int, length: str) -> tuple[bytes, int] | None:
        """Return the body that begins at ``start``, and where it ends."""
        size = _size(length, 10)
        if len(self._buffer) < start + size:
            return None
        return bytes(self._buffer[start : start + size]), start + size

    def _chunked(self, start: int) -> tuple[bytes, int] | None:
        body = bytearray()
        while True:
            line_end = self._buffer.find(b"\r\n", start)
            if line_end < 0:
                return None
            size = _size(
                bytes(self._buffer[start:line_end]).decode("latin-1").partition(";")[0], 16
            )
            start = line_end + 2
            if len(self._buffer) < start + size + 2:
                return None
            body += self._buffer[start : start + size]
            start += size + 2
            if not size:
                return bytes(body), start
            if len(body) > MAX_BODY:
                raise BadRequest("the body is too large")


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    match first.split(" "):
        case [method, target, version] if version.startswith("HTTP/1."):
            pass
        case _:
            raise BadRequest("this is no request")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest("a header without a colon")
        headers[name.strip().lower()] = value.strip()
    return method, target, headers


def _size(text: str, base: int) -> int:
    try:
        size = int(text.strip(), base)
    except ValueError:
        raise BadRequest("a length that is no number") from None
    if not 0 <= size <= MAX_BODY:
        raise BadRequest("the body is too large")
    return size
