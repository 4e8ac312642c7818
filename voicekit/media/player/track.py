"""`Track`: one source in a player, read ahead, and what was read and is not sent yet."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from itertools import starmap
from typing import TYPE_CHECKING

from ..._rtp import SAMPLE_RATE
from ...errors import MediaError, PlaybackError, VoicekitError
from ..broadcast import BroadcastListener
from ..mixing import Mixer
from ..pcm import CHANNELS, FRAME_SAMPLES, SAMPLE_BYTES
from ..sources import AudioSource, EncoderOptions, File, Frames, open_source
from ._pieces import Passed, Piece, Waiting
from .events import EndReason, PlayerEvent, SourceFailed, Stalled

if TYPE_CHECKING:
    from ...opus import Decoder

__all__ = ["AHEAD", "After", "Track", "failure"]

#: What is called when a track has ended, with the error if it has failed.
After = Callable[[Exception | None], object]

#: Samples that are read ahead of a source that may block: 0.64 s.
AHEAD = 32 * FRAME_SAMPLES
#: Frames per trip to a thread, which costs about 0.1 ms. A source that is barely fast enough is
#: asked for fewer at a time: nothing is to wait for the rest of a batch.
BATCH = 16

_DEFAULT_OPTIONS = EncoderOptions()


class Track(Waiting):
    """One source. `read` may block and belongs to one thread at a time; any may call the rest.

    What is taken can be put back, in order: that is how a change of volume reaches what was
    encoded already.
    """

    def __init__(self, given: File | Frames, after: After | None = None) -> None:
        if not (is_file(given) or callable(getattr(given, "read", None))):
            raise TypeError(f"a source has `read`, or can be opened, not {given!r}")
        if after is not None and not callable(after):
            raise TypeError(f"`after` is to be called, not {after!r}")
        self.given = given
        self.after = after
        #: None until `read` has opened it.
        self.source: Frames | None = None
        #: What its source mixes, also one that several calls listen to.
        self.mixer: Mixer | None = None
        self.is_owned = is_file(given)
        self._reads_plainly: Callable[[], bytes | None] | None = None
        self._has_position = False
        if not self.is_owned:
            self._adopt(given)  # type: ignore[arg-type]
        #: Why it ended; None while it plays or waits.
        self.reason: EndReason | None = None
        #: What ended it, if it failed.
        self.error: Exception | None = None
        #: The gain of its last frame, None before the first.
        self.applied: float | None = None
        #: Samples of it that were rendered: its age.
        self.rendered = 0
        #: Whether its age counts on from that of the track whose place it takes.
        self.continues = False
        #: Told, in whatever thread, when its volume was set.
        self.volume_changed: Callable[[], object] | None = None
        self._loop = False
        self._lock = threading.Lock()
        self._pieces: list[Piece] = []  # a list is an eighth of a deque, and as fast for so few
        self._samples = 0
        self._ended = False
        self._target: float | None = None
        self._generation = 0
        self._lap = 0
        self._read_in_lap = 0  # samples
        self._is_at_end = False  # the source has said so, and is not to be asked again
        self._packets = 0
        self._decoder: Decoder | None = None
        self._decoded = -1  # the number of the packet that the decoder has heard last
        self._is_reading = False
        self._is_closing = False

    def __repr__(self) -> str:
        return f"<Track {self.name}>"

    @property
    def name(self) -> str:
        """For messages."""
        name = getattr(self.source, "name", None)
        if name is None and isinstance(self.given, (str, os.PathLike)):
            name = os.fspath(self.given)
        return str(name or type(self.given).__name__)

    @property
    def shown(self) -> object:
        """What a user knows it by: the source, or what it was to be opened from."""
        return self.given if self.source is None else self.source

    @property
    def is_live(self) -> bool:
        """Whether each frame is to be read when it is due, and no sooner."""
        return bool(getattr(self.source, "live", False))

    @property
    def is_blocking(self) -> bool:
        """Whether `read` may wait, and so belongs into a thread."""
        return self.source is None or bool(getattr(self.source, "blocking", True))

    @property
    def gain(self) -> float:
        """The source's own factor."""
        return self.source.gain if isinstance(self.source, AudioSource) else 1.0

    @property
    def options(self) -> EncoderOptions:
        """How it wants to be encoded."""
        source = self.source
        return source.encoder_options if isinstance(source, AudioSource) else _DEFAULT_OPTIONS

    def report_loss(self, fraction: float) -> None:
        """Tell a source that encodes on its own (a broadcast) what receivers report."""
        report = getattr(self.source, "report_loss", None)
        if report is None or isinstance(self.source, AudioSource):
            return
        try:
            report(fraction)
        except Exception as error:  # anybody's source
            self.fail(failure(self, error))

    def take_events(self) -> Iterator[PlayerEvent]:
        """Yield what has happened within the source and did not end it: in a mixer."""
        if self.mixer is not None:
            yield from map(Stalled, iter(self.mixer.take_stall, None))
            yield from starmap(SourceFailed, iter(self.mixer.take_failure, None))

    @property
    def has_ended(self) -> bool:
        """Whether all there is was read."""
        return self._ended

    @property
    def samples(self) -> int:
        """What was read and waits."""
        return self._samples

    @property
    def has_frame(self) -> bool:
        """Whether 20 ms are there, or the last of it."""
        return self._samples >= FRAME_SAMPLES or self.begins_packet

    @property
    def begins_packet(self) -> bool:
        """Whether a packet as it came is next, none of which was taken."""
        pieces = self._pieces
        return bool(pieces) and pieces[0].packet is not None

    def next_packet(self, lead: int) -> Piece | None:
        """Return the packet that can go out as it came next, if there is one.

        Also one of which the first ``lead`` samples were taken: an encoder that heard them holds
        them still.
        """
        if not self._pieces:
            return None
        piece = self._pieces[0]
        if piece.packet is not None:
            return piece
        whole = piece.whole
        fits = (
            whole is not None and piece.cut == lead and piece.cut + piece.samples == whole.samples
        )
        return whole if fits else None

    @property
    def place(self) -> float:
        """Seconds from the beginning of the source to what comes next."""
        with self._lock:
            if self._target is not None:
                return self._target
            if self._pieces:
                return self._pieces[0].place
            return self._source_place()

    # -- reading: one thread at a time ---------------------------------------------------

    def open(self) -> None:
        """Open what is not open yet. Raises what `open_source` does."""
        if self.source is None:
            self._adopt(open_source(self.given))  # type: ignore[arg-type]
            if self.volume_changed is not None:
                self._watch(self.volume_changed)

    def wants(self, ahead: int = AHEAD) -> bool:
        """Whether there is something to `read`, for ``ahead`` samples to be there."""
        if self._is_closing or (self.mixer is not None and self._is_waiting):
            return False
        waits = self._ended or self._samples >= ahead
        return self._target is not None or self.source is None or not waits

    @property
    def _is_waiting(self) -> bool:
        """Whether all that a mixer mixes has stalled. A broadcast goes on, in silence."""
        mixer = self.mixer
        return mixer is not None and mixer is self.source and mixer.is_waiting

    def read(self, ahead: int = AHEAD) -> None:
        """Open it, go where it was sent to, and read up to a batch. It raises nothing.

        What opening or reading raises ends the track: `error`.
        """
        with self._lock:
            if self._is_closing:
                return
            self._is_reading = True
        try:
            held = self._samples // FRAME_SAMPLES
            for _ in range(max(1, min(BATCH, held))):
                if not self.wants(ahead) or not self._read_one():
                    break
        finally:
            self._leave()

    def _adopt(self, source: Frames) -> None:
        self.source = source
        heard = source.broadcast.source if isinstance(source, BroadcastListener) else source
        self.mixer = heard if isinstance(heard, Mixer) else None
        self._has_position = hasattr(source, "position")
        if not (self.is_blocking or isinstance(source, AudioSource)):
            self._reads_plainly = source.read

    def _leave(self) -> None:
        with self._lock:
            self._is_reading = False
            closes = self._is_closing
        if closes:
            self._close_source()

    def close(self) -> None:
        """Read no more; let go of what was opened here. Whoever reads just now does the latter."""
        self._watch(None)
        with self._lock:
            closes = not (self._is_closing or self._is_reading)
            self._is_closing = True
        if closes:
            self._close_source()

    def _close_source(self) -> None:
        close = getattr(self.source, "close", None)
        if self.is_owned and close is not None:
            try:
                close()
            except Exception as error:
                self.error = self.error or error

    def watch(self, changed: Callable[[], object]) -> None:
        """Have ``changed`` called, in whatever thread, when the source's volume was set."""
        self.volume_changed = changed
        self._watch(changed)

    def _watch(self, changed: Callable[[], object] | None) -> None:
        if isinstance(self.source, AudioSource):
            self.source._volume_changed = changed

    def _read_one(self) -> bool:
        """Read one piece; whether more may follow."""
        with self._lock:
            generation = self._generation
            target, self._target = self._target, None
        try:
            self.open()
            if target is not None:
                self.source.seek(target)  # type: ignore[union-attr]
                self._forget_recent()  # whatever was decoded does not lead here
            piece = self._next_piece()
            if piece is None and self._begins_again():
                self.source.seek(0.0)  # type: ignore[union-attr]
                self._lap += 1
                self._read_in_lap = 0
                piece = self._next_piece()
        except Exception as error:
            self._fail(error, generation)
            return False
        with self._lock:
            if self._generation != generation:
                return True
            if piece is None:
                self._ended = True
                return False
            self._pieces.append(piece)
            self._samples += piece.samples
            self._read_in_lap += piece.samples
        return True

    def _next_piece(self) -> Piece | None:
        source = self.source
        place = self._source_place()
        if isinstance(source, AudioSource):
            packet = source.next_packet()
            if packet is None:
                return self._pcm_piece(source, place)
        else:
            assert source is not None
            packet = None if self._is_at_end else source.read()
            self._is_at_end = False
        if packet is None:
            return None
        return self._passed(packet, place)

    def _pcm_piece(self, source: AudioSource, place: float) -> Piece | None:
        pcm = None if source.closed else source.next_pcm()
        if not pcm:
            return None
        if len(pcm) % SAMPLE_BYTES:
            raise MediaError(f"{self.name} gave {len(pcm)} bytes: a sample was cut")
        padding = source.padding
        if padding:
            pcm = pcm[:-padding]
        return Piece(len(pcm) // SAMPLE_BYTES, place, self._lap, pcm=pcm)

    def _begins_again(self) -> bool:
        return self._loop and self.is_seekable and self._read_in_lap > 0

    def _fail(self, error: Exception, generation: int) -> None:
        with self._lock:
            if self._generation != generation or self.error is not None:
                return
            self.error = failure(self, error)
            self._ended = True

    # -- what it is told -------------------------------------------------------------------

    def fail(self, error: Exception) -> None:
        """End it: what was read before is still played."""
        with self._lock:
            self._generation += 1
            self.error = self.error or error
            self._ended = True
            self._target = None

    @property
    def is_seekable(self) -> bool:
        """Whether `seek` may work: not on what has failed, which a thread may still be stuck in."""
        if self.error is not None:
            return False
        seek = getattr(self.source, "seek", None)
        return callable(seek) and bool(getattr(self.source, "seekable", True))

    def seek(self, seconds: float) -> None:
        """Go on there: what was read is dropped, the next `read` goes there first."""
        with self._lock:
            self._generation += 1
            self._pieces.clear()
            self._samples = 0
            self._ended = False
            self._target = seconds
            self._read_in_lap = round(seconds * SAMPLE_RATE)

    @property
    def loop(self) -> bool:
        """Whether it begins again at its end, if it can be sought."""
        return self._loop

    @loop.setter
    def loop(self, loop: bool) -> None:
        if loop == self._loop:
            return
        self._loop = loop
        with self._lock:
            if loop and self._ended and self.error is None and self.is_seekable:
                self._ended = False  # it had read all of it; the next lap follows
                self._target = 0.0
                self._lap += 1
                self._read_in_lap = 0
            elif not loop and self._pieces and self._pieces[-1].lap > self._pieces[0].lap:
                lap = self._pieces[0].lap
                self._generation += 1
                while self._pieces[-1].lap > lap:
                    self._samples -= self._pieces.pop().samples
                self._ended = True

    # -- taking and putting back --------------------------------------------------------------

    def pull(self, samples: int) -> None:
        """Read until so many samples are there, or the end: only if it never blocks."""
        while self._samples < samples and self.wants():
            if not self._read_one() or (self._pieces and self._pieces[-1].samples == 0):
                break

    def take(self) -> Piece:
        """Take the next piece, as long as it is."""
        with self._lock:
            piece = self._pieces.pop(0)
            self._samples -= piece.samples
            self._mend()
        self.rendered += piece.samples
        return piece

    def take_pcm(self, samples: int = FRAME_SAMPLES) -> tuple[Piece, ...]:
        """Take so many samples, decoded; fewer if there are no more."""
        taken: list[Piece] = []
        with self._lock:
            while samples and self._pieces:
                piece = self._pieces.pop(0)
                self._samples -= piece.samples
                pcm = self.decode(piece)
                if piece.samples > samples:
                    piece, rest = piece.split(samples, pcm)
                    self._pieces.insert(0, rest)
                    self._samples += rest.samples
                samples -= piece.samples
                taken.append(piece)
            self._mend()
        self.rendered += sum(piece.samples for piece in taken)
        return tuple(taken)

    def put_back(self, pieces: tuple[Piece, ...]) -> None:
        """Undo the last take."""
        samples = sum(piece.samples for piece in pieces)
        with self._lock:
            self._pieces[:0] = pieces
            self._samples += samples
            self._mend()
        self.rendered -= samples

    def _mend(self) -> None:
        """Put the next packet together again, if all parts of it are back."""
        whole = self._pieces[0].whole if self._pieces else None
        if whole is None:
            return
        parts = [part for part in self._pieces[:4] if part.whole is whole]
        if sum(part.samples for part in parts) == whole.samples:
            for _ in parts:
                del self._pieces[0]
            self._pieces.insert(0, whole)

    def decode(self, piece: Piece) -> bytes:
        """Return the samples of a piece. What is no Opus is silence of its length."""
        if piece.pcm is not None:
            return piece.pcm
        assert isinstance(piece, Passed)
        if self._decoder is None or self._decoded != piece.number - 1:
            from ...opus import Decoder

            self._decoder = Decoder(SAMPLE_RATE, CHANNELS)
            for packet in piece.recent:
                self._decode(packet)
        self._decoded = piece.number
        piece.pcm = self._decode(piece.packet).ljust(piece.samples * SAMPLE_BYTES, b"\0")
        return piece.pcm

    def _decode(self, packet: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decode(packet)
        except VoicekitError:  # OpusError: it is damaged
            return b""


def failure(track: Track, error: Exception) -> PlaybackError:
    """Return what a user hears of an error of a source."""
    if isinstance(error, PlaybackError):
        return error
    known = isinstance(error, VoicekitError)  # they name what they are about
    failed = PlaybackError(str(error) if known else f"{track.name} failed: {error!r}")
    failed.__cause__ = error
    return failed


def is_file(given: object) -> bool:
    """Whether it is something to open: a path, bytes, a file object or a URL."""
    files = (str, os.PathLike, bytes, bytearray, memoryview, io.IOBase)
    return isinstance(given, files) or (
        callable(getattr(given, "tell", None)) and not isinstance(given, AudioSource)
    )
