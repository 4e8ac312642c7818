"""What ``voicekit play`` plays: files and URLs, opened one by one, the bad ones left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import MediaError, VoicekitError
from ..media import EncoderOptions, FileSource, open_source
from ..media.sources.input_file import is_url, shown_name
from .output import Report

__all__ = ["Playlist", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the files of a list are played."""

    #: Seconds into the first of them.
    seek: float = 0.0
    #: How often the list is played; None: for ever.
    times: int | None = 1
    volume: float = 1.0
    #: LUFS; None: as loud as it is.
    normalize: float | None = None
    encoder: EncoderOptions


class Playlist:
    """Opens what is to be played when its turn comes."""

    def __init__(self, names: list[str], settings: Settings, report: Report) -> None:
        #: What was to be played and could not, by the names in messages: exit code 1.
        self.failed: set[str] = set()
        self._names = names
        self._settings = settings
        self._report = report

    def check(self) -> None:
        """Look at all files before the first one plays: typing mistakes show at once.

        URLs and pipes are not looked at: those can be read once, and these might not wait. Raises
        the `MediaError` of a list of one file.
        """
        for name in self._names:
            if is_url(name) or Path(name).is_fifo():
                continue
            try:
                self._open(name, self._start_of(name), normalize=None).close()
            except VoicekitError as error:
                if len(self._names) == 1:
                    raise
                self.fail(shown_name(name), error)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to play."""
        return all(shown_name(name) in self.failed for name in self._names)

    def sources(self) -> Iterator[FileSource]:
        """Yield one source after the other, open. This takes a while: call it in a thread."""
        rounds = 0
        while not self.is_empty and rounds != self._rounds:
            for name in self._names:
                if shown_name(name) in self.failed:
                    continue
                start = self._start_of(name) if rounds == 0 else 0.0
                try:
                    source = self._open(name, start, normalize=self._settings.normalize)
                except VoicekitError as error:
                    self.fail(shown_name(name), error)
                else:
                    yield source
            rounds += 1

    def fail(self, name: str, error: Exception) -> None:
        """Report that something could not be played (to its end), and leave it out from now on."""
        self.failed.add(name)
        self._report.event("failed", path=name, error=str(error))
        self._report.warn(str(error))

    def _start_of(self, name: str) -> float:
        return self._settings.seek if name == self._names[0] else 0.0

    @property
    def _rounds(self) -> int | None:
        """How often the list is gone through: a single file goes round by itself, without a gap."""
        return self._settings.times if len(self._names) > 1 else 1

    def _open(self, name: str, start: float, *, normalize: float | None) -> FileSource:
        settings = self._settings
        loop: bool | int = False
        if len(self._names) == 1:
            loop = True if settings.times is None else settings.times - 1
        source = open_source(
            name,
            start=start,
            loop=loop,
            volume=settings.volume,
            normalize=normalize,
            encoder=settings.encoder,
        )
        if source.duration is not None and start and start >= source.duration:
            source.close()
            raise MediaError(f"{source.name} lasts {source.duration:.1f} s: --seek is beyond it")
        if settings.times != 1 and not source.seekable:
            source.close()
            raise MediaError(f"{source.name} can not be played twice: it is read as it comes")
        return source
