"""``voicekit record``: one file per user, for a while."""

import ssl
import time
from pathlib import Path
from typing import Annotated

import msgspec
import trio
import typer

from ..config import Config
from ..media import Recorder, Track
from ..media.recording import FORMATS
from ..server_info import VoiceServerInfo
from ..trio import connect
from ..trio import record as write
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
        str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}. ogg: Opus as it came.")
    ] = "ogg",
    mix: Annotated[bool, typer.Option("--mix", help="Add a file with everybody in it.")] = False,
    insecure: Insecure = False,
    no_dave: NoDave = False,
    mode: Mode = "any",
    ca_file: CaFile = None,
    json: Json = False,
) -> None:
    """Record a voice call into DIR, one file per user."""
    if file_format not in FORMATS:
        names = ", ".join(FORMATS)
        raise typer.BadParameter(f"{file_format!r} is not one of {names}", param_hint="--format")
    info = server_info(endpoint, server_id, channel_id, user_id, session_id, token, insecure)
    config = Config(modes=modes_of(mode), dave=not no_dave, receive_only=True)
    recorder = Recorder(directory, file_format, mix=mix)
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
            recorder.start(trio.current_time(), time.time())
            try:
                with trio.move_on_after(seconds):
                    with report.progress("recording", seconds) as bar:
                        await write(voice, recorder, progress=bar.update)
            finally:
                dave_version = voice.connection.dave_version
    finally:
        tracks = recorder.close()  # whatever happened, what came is kept
    for track in tracks:
        if track.error is not None:
            report.warn(f"{_who(track)}: {track.error}")
    if recorder.overflowed:
        report.warn(f"the disk was too slow for {recorder.overflowed} packets: they are missing")
    report.event(
        "done",
        "\n".join(map(track_sentence, tracks)) or "nobody spoke",
        dave_version=dave_version,
        overflowed=recorder.overflowed,
        tracks=[msgspec.to_builtins(track, enc_hook=str) for track in tracks],
    )
    failed = any(track.error is not None for track in tracks)
    return interruption.exit_code or int(failed)


def _who(track: Track) -> str:
    return "the mix" if track.user_id is None else f"user {track.user_id}"


def track_sentence(track: Track) -> str:
    """Describe one track."""
    what = f"{_who(track)}: {track.path}, {track.seconds:.1f} s"
    if track.user_id is None:
        return what
    return f"{what}, {track.frames} frames, {track.lost} lost, {track.concealed} concealed"
