"""A file that a sink writes: its errors are `MediaError`, with the name of the file."""

import contextlib
import os
from collections.abc import Iterator
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

    def write(self, data: bytes | bytearray) -> None:
        """Append, and leave nothing in a buffer: what was written survives a crash."""
        with self.named_errors():
            self.stream.write(data)
            self.stream.flush()

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
