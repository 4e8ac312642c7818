"""``voicekit play``: play files into a call, one after the other without a gap, then leave."""

import ssl
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import trio
import typer

from ..config import Config
from ..media import LOUDNESS, EncoderOptions, FileSource
from ..media.player import EndReason, SourceFailed, TrackEnded, TrackStarted
from ..pacer import MAX_DEPTH
from ..server_info import VoiceServerInfo
from ..trio import Voice, connect
from ..trio.pump import beside
from .options import (
    CaFile,
    ChannelId,
    Endpoint,
    Insecure,
    Json,
    Mode,
    NoDave,
    ServerId,
    SessionId,
    Token,
    UserId,
    modes_of,
    server_info,
    tls_context,
)
from .output import Bar, Report
from .playlist import Playlist, Settings
from .running import interruptible, run

__all__ = ["play"]

#: Sources that are open at once: the one that plays, and the next, to go on without a gap.
OPEN = 2
#: Seconds between two looks at how far it is.
PROGRESS_TICK = 0.1


def play(
    files: Annotated[list[str], typer.Argument(help="Files and URLs: anything FFmpeg reads.")],
    endpoint: Endpoint,
    server_id: ServerId,
    channel_id: ChannelId,
    user_id: UserId,
    session_id: SessionId,
    token: Token,
    insecure: Insecure = False,
    no_dave: NoDave = False,
    mode: Mode = "any",
    ca_file: CaFile = None,
    bitrate: Annotated[
        int, typer.Option(min=6, max=510, help="kbit/s, where the file is not Opus already.")
    ] = 128,
    volume: Annotated[
        float, typer.Option(min=0, help="1: as it is. Anything else re-encodes.")
    ] = 1.0,
    seek: Annotated[
        float, typer.Option(min=0, help="Begin so many seconds into the first file.")
    ] = 0.0,
    loop: Annotated[bool, typer.Option("--loop", help="Again and again, until Ctrl-C.")] = False,
    times: Annotated[int, typer.Option(min=1, help="Play all of it so many times.")] = 1,
    normalize: Annotated[
        bool, typer.Option("--normalize", help=f"Equally loud: {LOUDNESS:g} LUFS. Re-encodes.")
    ] = False,
    json: Json = False,
) -> None:
    """Play FILES into a voice call, one after the other without a gap, then leave."""
    info = server_info(endpoint, server_id, channel_id, user_id, session_id, token, insecure)
    config = Config(modes=modes_of(mode), dave=not no_dave)
    context = tls_context(ca_file)
    report = Report(json)
    settings = Settings(
        seek=seek,
        times=None if loop else times,
        volume=volume,
        normalize=LOUDNESS if normalize else None,
        encoder=EncoderOptions(bitrate=bitrate * 1000),
    )
    playlist = Playlist(files, settings, report)
    playlist.check()
    code = 1 if playlist.is_empty else run(_play, info, config, context, playlist, report)
    if code or playlist.failed:
        raise typer.Exit(code or 1)


async def _play(
    info: VoiceServerInfo,
    config: Config,
    context: ssl.SSLContext | None,
    playlist: Playlist,
    report: Report,
) -> int:
    """Return the exit code: Ctrl-C leaves the call as properly as the end does."""
    connected = False
    async with (
        interruptible() as interruption,
        connect(info, config=config, ssl_context=context) as voice,
    ):
        connected = True
        connection = voice.connection
        report.event(
            "ready",
            f"connected: {connection.mode}",
            mode=connection.mode,
            dave_version=connection.dave_version,
        )
        try:
            await _Performance(voice, playlist, report).run()
        finally:  # before the call is left, and both with it
            mode, dave_version = connection.mode, connection.dave_version
    if not connected:  # interrupted before there was a call
        return interruption.exit_code
    stats = voice.stats()
    lateness = voice.lateness()
    report.event(
        "done",
        f"sent {voice.frames_played} frames ({voice.frames_played * 0.02:.1f} s),"
        f" {stats.resumes} resumes, lateness p99 {lateness['p99']:.2f} ms",
        frames_sent=voice.frames_played,
        seconds=round(voice.frames_played * 0.02, 2),
        mode=mode,
        dave_version=dave_version,
        resumes=stats.resumes,
        lateness_ms=lateness,
    )
    return interruption.exit_code


class _Performance:
    """A playlist on its way through the player of a call."""

    def __init__(self, voice: Voice, playlist: Playlist, report: Report) -> None:
        self._voice = voice
        self._playlist = playlist
        self._report = report
        self._events = voice.player.events()
        self._open = 0  # sources that the player has, and that have not ended
        self._ended = trio.Event()

    async def run(self) -> None:
        """Play to the end, and the silence after it. Raises what the call ended with."""
        player = self._voice.player
        player.ring = MAX_DEPTH  # nothing here changes what plays: no gap on a busy machine
        sources = self._playlist.sources()
        with self._report.progress("playing", None) as bar:
            async with beside(partial(self._watch, bar)), beside(partial(self._show, bar)):
                while (source := await _next(sources)) is not None:
                    player.queue.append(source)
                    self._open += 1
                    await self._until_open(OPEN - 1)
                await self._until_open(0)
                await player.wait_for_stopped()

    async def _until_open(self, most: int) -> None:
        while self._open > most:
            await self._ended.wait()

    async def _watch(self, bar: Bar) -> None:
        async for event in self._events:
            match event:
                case TrackStarted(FileSource() as source):
                    self._tell(source)
                    bar.begin(source.name, source.duration)
                case SourceFailed(FileSource(name=name), error):
                    self._playlist.fail(name, error)
                case TrackEnded(FileSource() as source, reason):
                    self._open -= 1
                    self._ended.set()
                    self._ended = trio.Event()
                    if reason is EndReason.FINISHED:  # else a thread may still read it
                        await trio.to_thread.run_sync(source.close)
        await self._voice.wait_ready()  # the call is over: this raises why

    async def _show(self, bar: Bar) -> None:
        while True:
            bar.update(self._voice.player.position)
            await trio.sleep(PROGRESS_TICK)

    def _tell(self, source: FileSource) -> None:
        self._report.event(
            "playing",
            f"playing {source.name}" + (" (Opus, untouched)" if source.passthrough else ""),
            path=source.name,
            seconds=source.duration,
            passthrough=source.passthrough,
        )


async def _next(sources: Iterator[FileSource]) -> FileSource | None:
    return await trio.to_thread.run_sync(next, sources, None, abandon_on_cancel=True)
