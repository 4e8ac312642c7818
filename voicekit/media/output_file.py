"""A file that a sink writes: its errors are `MediaError`, with the name of the file."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ..errors import MediaError

__all__ = ["OutputFile"]


class OutputFile:
    """A path that is opened (and closed) here, or a binary file object of the caller's."""

    def __init__(self, file: str | os.PathLike[str] | BinaryIO) -> None:
        self.closed = False
        if isinstance(file, str | os.PathLike):
            self.name = os.fspath(file)
            with self.named_errors():
                self.stream: BinaryIO = open(file, "wb")  # noqa: SIM115
            self._owned = True
        else:
            self.name = str(getattr(file, "name", "the stream"))
            self.stream = file
            self._owned = False
        self.seekable = self._is_seekable()
        self._start = self.stream.tell() if self.seekable else 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append, and leave nothing in a buffer: what was written survives a crash."""
        with self.named_errors():
            self.stream.write(data)
            self.stream.flush()

    def write_at(self, position: int, data: bytes | bytearray) -> None:
        """Overwrite, from ``position`` behind the beginning; go on writing at the end.

        Only for a seekable file.
        """
        with self.named_errors():
            self.stream.seek(self._start + position)
            self.stream.write(data)
            self.stream.flush()
            self.stream.seek(0, os.SEEK_END)

    def finish(self, write_rest: Callable[[], None]) -> None:
        """Write what is left, then close, also where the rest can not be written. Idempotent."""
        if self.closed:
            return
        try:
            write_rest()
        finally:
            self.close()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        self.closed = True
        if self._owned:
            with self.named_errors():
                self.stream.close()

    @contextlib.contextmanager
    def named_errors(self) -> Iterator[None]:
        """Turn errors of the system into `MediaError`."""
        try:
            yield
        except OSError as error:
            why = error.strerror or str(error)
            raise MediaError(f"can not write {self.name}: {why}") from error

    def _is_seekable(self) -> bool:
        try:
            return self.stream.seekable()
        except (AttributeError, OSError, io.UnsupportedOperation):
            return False
