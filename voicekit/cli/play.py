"""``voicekit play``: play files into a call, to the end, then leave."""

import signal
import ssl
from pathlib import Path
from typing import Annotated

import trio
import typer

from ..config import Config
from ..media import Source, open_source
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
from .report import Report
from .running import run

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
    # Open all of them first: a typing mistake should not show after an hour of music.
    sources: list[tuple[Path, Source]] = [
        (path, open_source(path, bitrate=bitrate * 1000, volume=volume)) for path in files
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
    """Return the exit code: 130 after Ctrl-C, which leaves the call as properly as the end."""
    interrupted = False
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with connect(info, config=config, ssl_context=context) as voice:
            connection = voice.connection
            report.event(
                "ready",
                f"connected: {connection.mode}",
                mode=connection.mode,
                dave_version=connection.dave_version,
            )
            async with trio.open_nursery() as nursery:

                async def watch() -> None:
                    nonlocal interrupted
                    async for _ in signals:
                        interrupted = True
                        nursery.cancel_scope.cancel()

                nursery.start_soon(watch)
                for path, source in sources:
                    await _play_one(voice, path, source, report)
                nursery.cancel_scope.cancel()
            mode, dave_version = connection.mode, connection.dave_version
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
    return 130 if interrupted else 0


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
