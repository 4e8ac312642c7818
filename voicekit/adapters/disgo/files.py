"""Files of Opus packets behind their lengths, as a provider and as a receiver of frames."""

import os
from collections.abc import Callable
from typing import BinaryIO

from ...media import FramedOpusReader, FramedOpusWriter
from .udp import Packet

__all__ = ["OpusReader", "OpusWriter"]


class OpusReader:
    """Provides the frames of a file. Raises `MediaError` for what can not be read."""

    def __init__(self, file: str | os.PathLike[str] | bytes | BinaryIO) -> None:
        self._reader = FramedOpusReader(file)

    def provide_opus_frame(self) -> bytes | None:
        """Return the next frame, or None at the end."""
        return self._reader.read()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        self._reader.close()


class OpusWriter:
    """Writes the frames of those whom ``user_filter`` lets through; None: of everybody."""

    def __init__(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        user_filter: Callable[[int], bool] | None = None,
    ) -> None:
        self._writer = FramedOpusWriter(file)
        self._user_filter = user_filter

    def receive_opus_frame(self, user_id: int, packet: Packet) -> None:
        """Write one frame. Raises `MediaError` when the file can not be written."""
        if self._user_filter is None or self._user_filter(user_id):
            self._writer.write(packet.opus)

    def cleanup_user(self, user_id: int) -> None:
        """Do nothing: nothing is held for a user."""

    def close(self) -> None:
        """Close the file, if it was opened here."""
        self._writer.close()
