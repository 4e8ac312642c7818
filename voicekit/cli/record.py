"""``voicekit record``: one file per user, for a while."""

import ssl
from pathlib import Path
from typing import Annotated

import msgspec
import trio
import typer

from ..config import Config
from ..media import Recorder, Track
from ..server_info import VoiceServerInfo
from ..trio import connect
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
from .running import interruptible, run

__all__ = ["record", "track_sentence"]


def record(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made if it is not there.")],
    endpoint: Endpoint,
    server_id: ServerId,
    channel_id: ChannelId,
    user_id: UserId,
    session_id: SessionId,
    token: Token,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to record.")],
    file_format: Annotated[
        str, typer.Option("--format", help="ogg (Opus as it came, not re-encoded) or wav.")
    ] = "ogg",
    insecure: Insecure = False,
    no_dave: NoDave = False,
    mode: Mode = "any",
    ca_file: CaFile = None,
    json: Json = False,
) -> None:
    """Record a voice call into DIR, one file per user."""
    if file_format not in ("ogg", "wav"):
        raise typer.BadParameter(f"{file_format!r} is not ogg or wav", param_hint="--format")
    info = server_info(endpoint, server_id, channel_id, user_id, session_id, token, insecure)
    config = Config(modes=modes_of(mode), dave=not no_dave, receive_only=True)
    recorder = Recorder(directory, file_format)
    code = run(_record, info, config, tls_context(ca_file), recorder, seconds, Report(json))
    if code:
        raise typer.Exit(code)


async def _record(
    info: VoiceServerInfo,
    config: Config,
    context: ssl.SSLContext | None,
    recorder: Recorder,
    seconds: float,
    report: Report,
) -> int:
    dave_version = 0
    try:
        async with (
            interruptible() as interruption,
            connect(info, config=config, ssl_context=context) as voice,
        ):
            report.event(
                "ready",
                f"connected: {voice.connection.mode}; recording for {seconds:g} s",
                mode=voice.connection.mode,
                dave_version=voice.connection.dave_version,
            )
            try:
                with trio.move_on_after(seconds), report.progress("recording", seconds):
                    async for frame in voice.frames():
                        recorder.write(frame)
            finally:
                dave_version = voice.connection.dave_version
    finally:
        tracks = recorder.close()  # whatever happened, what came is kept
    report.event(
        "done",
        "\n".join(map(track_sentence, tracks)) or "nobody spoke",
        dave_version=dave_version,
        tracks=[msgspec.to_builtins(track, enc_hook=str) for track in tracks],
    )
    return interruption.exit_code


def track_sentence(track: Track) -> str:
    """Describe one track."""
    return (
        f"user {track.user_id}: {track.path}, {track.seconds:.1f} s,"
        f" {track.frames} frames, {track.lost} lost, {track.concealed} concealed"
    )
