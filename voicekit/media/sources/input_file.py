"""What is read: a path, bytes, a file object or a URL, as FFmpeg or a parser takes it."""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

from ...errors import MediaError

__all__ = ["File", "InputFile", "is_url", "one_line", "shown_name"]

File: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

#: URLs that are fetched, and what FFmpeg may use for them: a playlist (HLS) may lead on over
#: the network, but never to files of this machine.
_PROTOCOLS = {
    "http": "http,https,httpproxy,tcp,tls,crypto",
    "https": "http,https,httpproxy,tcp,tls,crypto",
    "ftp": "ftp,tcp",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "rtsp": "rtsp,rtp,udp,tcp",
    "srt": "srt,udp",
}
#: Files are opened here and FFmpeg gets their content: a playlist must not make it open others.
_NO_PROTOCOL = "none"
_PEEKED = 4


class InputFile:
    """A name for messages, and where the bytes come from: a stream, or a URL.

    A ``str`` that begins with one of the schemes above is a URL; a ``Path`` never is. A stream
    that can not seek is read from where it is, once. Raises `MediaError`.
    """

    name: str
    #: None for a URL.
    stream: "_Stream | None"
    #: The first four bytes of a stream.
    head: bytes

    def __init__(self, file: File) -> None:
        self._resources = contextlib.ExitStack()
        self.url: str | None = None
        self.stream = None
        self.head = b""
        if isinstance(file, str) and is_url(file):
            self.name, self.url = shown_name(file), file
            self.seekable = True  # until the server is asked
            return
        with contextlib.ExitStack() as opening:
            opening.callback(self.close)
            self.name, stream = self._open(file)
            self.stream = self._peek(stream)
            opening.pop_all()

    @property
    def protocols(self) -> str:
        """FFmpeg's option ``protocol_whitelist``."""
        if self.url is None:
            return _NO_PROTOCOL
        return _PROTOCOLS[self.url.partition("://")[0].lower()]

    def rewind(self) -> None:
        """Go back to where it began. Raises `MediaError` if it can not."""
        if not isinstance(self.stream, _SeekableStream):
            raise MediaError(f"{self.name} can only be read once, from its beginning to its end")
        with self.named_errors():
            self.stream.seek(0)

    def check(self) -> None:
        """Raise `MediaError` if the last read failed: it looked like the end."""
        if self.stream is not None and self.stream.error is not None:
            error, self.stream.error = self.stream.error, None
            raise MediaError(f"can not read {self.name}: {one_line(error)}") from error

    @contextlib.contextmanager
    def named_errors(self) -> Iterator[None]:
        """Turn whatever a file object raises into `MediaError`."""
        try:
            yield
        except MediaError:
            raise
        except Exception as error:
            raise MediaError(f"can not read {self.name}: {one_line(error)}") from error

    def close(self) -> None:
        """Close what was opened here. Idempotent."""
        self._resources.close()

    def _open(self, file: File) -> tuple[str, BinaryIO]:
        if isinstance(file, bytes | bytearray | memoryview):
            return "the given data", io.BytesIO(file)
        if isinstance(file, str | os.PathLike):
            name = os.fspath(file)
            try:
                return name, self._resources.enter_context(open(file, "rb"))
            except (OSError, ValueError) as error:  # ValueError: a NUL in the path
                raise MediaError(f"can not read {name}: {one_line(error)}") from error
        if not hasattr(file, "read"):
            raise TypeError(f"a file is a path, bytes, a binary file object or a URL, not {file!r}")
        return str(getattr(file, "name", "the given stream")), file

    def _peek(self, stream: BinaryIO) -> "_Stream":
        """Look at the beginning; what can not seek gets it back in front."""
        start = 0
        with self.named_errors():
            self.seekable = bool(getattr(stream, "seekable", lambda: hasattr(stream, "seek"))())
            if self.seekable:
                start = stream.tell()
            head = stream.read(_PEEKED)
            if not isinstance(head, bytes | bytearray):
                raise MediaError(
                    f"{self.name} gives {type(head).__name__}, not bytes: open it 'rb'"
                )
            if self.seekable:
                stream.seek(start)
        if not head:
            raise MediaError(f"{self.name} is empty")
        self.head = bytes(head)
        return _SeekableStream(stream, start) if self.seekable else _Stream(stream, self.head)


class _Stream:
    """A file object as FFmpeg reads it, once, with the bytes that were looked at in front.

    FFmpeg takes a read that raises for the end, so what it raised is kept.
    """

    def __init__(self, stream: BinaryIO, head: bytes = b"") -> None:
        self.error: Exception | None = None
        self._stream = stream
        self._head = head

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:] if size >= 0 else b""
            return head
        try:
            return self._stream.read(size)
        except Exception as error:
            self.error = error
            return b""


class _SeekableStream(_Stream):
    """The same, from where it is on: FFmpeg counts from the beginning of what it is given."""

    def __init__(self, stream: BinaryIO, start: int) -> None:
        super().__init__(stream)
        self._start = start

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset + (0 if whence else self._start), whence) - self._start

    def tell(self) -> int:
        return self._stream.tell() - self._start


def is_url(name: str) -> bool:
    """Whether it is fetched, and no path of this machine."""
    return name.partition("://")[0].lower() in _PROTOCOLS


def shown_name(name: str) -> str:
    """Return a name for messages: of a URL without password and query, where its key may be."""
    if not is_url(name):
        return name
    scheme, _, rest = name.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def one_line(error: BaseException) -> str:
    """Return the text of an error without the number and the file name around it."""
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return text or type(error).__name__
