"""The half of `Voice` that speaks: it has a player, and knows what became of the frames."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from ..connection import VoiceConnection
from ..events import (
    Closed,
    Event,
    NeedNewSession,
    Reconnecting,
    RtcpReceived,
    SessionReady,
    SessionResumed,
    WaitingForUpdate,
)
from ..media import File, Frames
from ..media.reported_loss import ReportedLoss
from ..pacer import Histogram, LatePolicy, Pacer, Stream, process_pacer
from .call import Call
from .player import RING, Player

__all__ = ["PlayingCall"]


class PlayingCall(Call):
    """A `Call` into which is played."""

    _player_type: ClassVar[type[Player]]

    def __init__(self, connection: VoiceConnection, pacer: Pacer | None) -> None:
        super().__init__(connection)
        self._player: Player | None = None
        self._own_pacer = pacer
        # Of what was played before, stream by stream.
        self._lateness: Histogram | None = None
        self._frames_played = 0
        self._frames_unsent = 0
        self._why_interrupted = ""
        self._loss = 0.0  # that receivers have reported last
        self._reported_loss = ReportedLoss()

    @property
    def player(self) -> Player:
        """Plays one thing after another: queue, volume, pause, seek, cross-fade."""
        if self._player is None:  # many calls only listen
            self._check_caller()
            self._player = self._player_type(self)
            self._player.report_loss(self._loss)
        return self._player

    def play(
        self,
        source: File | Frames,
        *,
        ring: float = RING,
        late: LatePolicy = LatePolicy.REBASE,
        progress: Callable[[float], object] | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Play ``source`` to its end: what `voicekit.media.open_source` opens, or an open `Source`.

        Returns after the five frames of silence. While a session is being made anew it
        pauses, and loses nothing; nor does it begin before the others' encryption takes us
        in, for 5 s at most. ``progress`` is called with the seconds played so far, some ten
        times a second. A source is read in a worker thread, at most a second ahead; what is
        opened here is closed at the end, a `Source` that you opened is yours to close.

        Frames are sent by the pacer, in a thread that needs no Python: ``ring`` seconds of
        them (up to 1.0) are ready there, for as long as your program may compute without
        pause. A source that has none in time is heard as silence. ``late`` says what becomes
        of frames that leave late all the same.

        Cancelling ends the audio within a frame, then sends the silence. Meanwhile `player`
        acts upon what plays. Raises `MediaError` for what can not be opened, `PlaybackError`
        (which is one) for what fails later, `LocalProtocolError` while something else is being
        played, and what the call ended with when it ends before the source does.
        """
        return self.player.play_through(source, ring=ring, late=late, progress=progress)

    @property
    def frames_played(self) -> int:
        """Frames that `play` and `player` have sent."""
        stream = self._stream
        return self._frames_played + (0 if stream is None else stream.sent)

    def lateness(self) -> dict[str, float]:
        """Return how late they were sent, in milliseconds: ``p50``, ``p99``, ``max``."""
        measured = Histogram()
        if self._lateness is not None:
            measured.merge(self._lateness)
        if (stream := self._stream) is not None:
            measured.merge(stream._lateness)
        late = measured.read()
        return {
            "p50": round(late.p50 * 1000, 3),
            "p99": round(late.p99 * 1000, 3),
            "max": round(late.max * 1000, 3),
        }

    @property
    def datagrams_unsent(self) -> int:
        """Datagrams that the operating system did not take: its buffer was full."""
        stream = self._stream
        unsent = 0 if stream is None else stream.stats().unsent
        return super().datagrams_unsent + self._frames_unsent + unsent

    def update_voice_server(self, token: str, endpoint: str | None) -> None:
        """Hand in a VOICE_SERVER_UPDATE: the call moves there."""
        super().update_voice_server(token, endpoint)
        self._changed.unpark_all()  # the player sees that it can not send

    # -- behind it ---------------------------------------------------------------------

    @property
    def _pacer(self) -> Pacer:
        return self._own_pacer or process_pacer()

    @property
    def _is_playing_out(self) -> bool:
        return self._player is not None and self._player.is_running

    @property
    def _stream(self) -> Stream | None:
        return None if self._player is None else self._player.stream

    def _note_played(self, stream: Stream) -> None:
        """Add up what a stream has counted that is not used any more."""
        stats = stream.stats()
        if self._lateness is None:
            self._lateness = Histogram()
        self._lateness.merge(stream._lateness)
        self._frames_played += stats.frames
        self._frames_unsent += stats.unsent

    @property
    def _is_over(self) -> bool:
        return self.closed is not None or self._leaving

    def _handle_event(self, event: Event) -> None:
        super()._handle_event(event)
        player = self._player
        match event:
            case RtcpReceived():
                loss = self._reported_loss.receive(event, self.connection.ssrc)
                if loss is not None:
                    self._loss = loss
                    if player is not None:
                        player.report_loss(loss)
            case NeedNewSession() | WaitingForUpdate():
                self._why_interrupted = event.why
            case SessionReady():
                self._why_interrupted = ""
            case Reconnecting() if player is not None:
                player.note_interruption(event.why, is_silent=False)
            case SessionResumed() if player is not None:
                player.note_continuation()
            case Closed() if player is not None:
                player.end_events()
