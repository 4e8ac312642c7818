"""``voicekit play``: play files into a call, to the end, then leave."""

import ssl
from pathlib import Path
from typing import Annotated

import typer

from ..config import Config
from ..media import EncoderOptions, Source, open_source
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
from .running import interruptible, run

__all__ = ["play"]


def play(
    files: Annotated[list[Path], typer.Argument(help="Anything that FFmpeg reads.")],
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
    json: Json = False,
) -> None:
    """Play FILES into a voice call, one after the other, then leave."""
    info = server_info(endpoint, server_id, channel_id, user_id, session_id, token, insecure)
    config = Config(modes=modes_of(mode), dave=not no_dave)
    context = tls_context(ca_file)
    options = EncoderOptions(bitrate=bitrate * 1000)
    # Open all of them first: a typing mistake should not show after an hour of music.
    sources: list[tuple[Path, Source]] = [
        (path, open_source(path, volume=volume, encoder=options)) for path in files
    ]
    code = run(_play, info, config, context, sources, Report(json))
    if code:
        raise typer.Exit(code)


async def _play(
    info: VoiceServerInfo,
    config: Config,
    context: ssl.SSLContext | None,
    sources: list[tuple[Path, Source]],
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
            for path, source in sources:
                await _play_one(voice, path, source, report)
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


async def _play_one(voice: Voice, path: Path, source: Source, report: Report) -> None:
    report.event(
        "playing",
        f"playing {path}" + (" (Opus, untouched)" if source.passthrough else ""),
        path=str(path),
        seconds=source.duration,
        passthrough=source.passthrough,
    )
    with report.progress(path.name, source.duration) as bar:
        await voice.play(source, progress=bar.update)
