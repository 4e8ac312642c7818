"""``voicekit play``: play files into a call, one after the other, then leave."""

import ssl
from typing import Annotated

import trio
import typer

from ..config import Config
from ..errors import MediaError
from ..media import LOUDNESS, EncoderOptions, FileSource
from ..server_info import VoiceServerInfo
from ..trio import Voice, connect
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
from .output import Report
from .playlist import Playlist, Settings
from .running import interruptible, run

__all__ = ["play"]


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
    """Play FILES into a voice call, one after the other, then leave."""
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
            await _play_all(voice, playlist, report)
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


async def _play_all(voice: Voice, playlist: Playlist, report: Report) -> None:
    sources = playlist.sources()
    with report.progress("playing", None) as bar:
        while True:
            source = await trio.to_thread.run_sync(next, sources, None, abandon_on_cancel=True)
            if source is None:
                return
            _tell(source, report)
            bar.begin(source.name, source.duration)
            try:
                await voice.play(source, progress=bar.update)
            except MediaError as error:
                playlist.fail(source.name, error)
            finally:
                source.close()


def _tell(source: FileSource, report: Report) -> None:
    report.event(
        "playing",
        f"playing {source.name}" + (" (Opus, untouched)" if source.passthrough else ""),
        path=source.name,
        seconds=source.duration,
        passthrough=source.passthrough,
    )
