"""Flags that several commands share, and what is made of them."""

import ipaddress
import os
import ssl
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from .._crypto import MODES
from ..server_info import VoiceServerInfo, websocket_url

__all__ = [
    "CaFile",
    "ChannelId",
    "Endpoint",
    "Insecure",
    "Json",
    "Mode",
    "NoDave",
    "ServerId",
    "SessionId",
    "Token",
    "UserId",
    "modes_of",
    "server_info",
    "tls_context",
]

Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
Endpoint = Annotated[
    str,
    typer.Option(help="host:port (wss), wss://... or ws://... as a server without TLS prints."),
]
ServerId = Annotated[int, typer.Option(help="The guild's id.")]
ChannelId = Annotated[int, typer.Option(help="The voice channel's id.")]
UserId = Annotated[int, typer.Option(help="Our own user id.")]
SessionId = Annotated[str, typer.Option(help="From VOICE_STATE_UPDATE.")]
Token = Annotated[
    str,
    typer.Option(
        help="From VOICE_SERVER_UPDATE; - reads it from stdin.",
        envvar="VOICEKIT_TOKEN",
        show_envvar=True,
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Allow ws:// to other machines than this one.")
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", help="Trust the certificates in this PEM file, and no others."),
]
Mode = Annotated[str, typer.Option(help="Transport encryption: aes, xchacha or any.")]

NoDave = Annotated[
    bool,
    typer.Option("--no-dave", help="Offer no end-to-end encryption; Discord refuses that."),
]

_MODE_NAMES = {"any": None, "aes": MODES[0], "xchacha": MODES[1]}


def modes_of(name: str) -> tuple[str, ...] | None:
    """Translate --mode; a full mode name is taken as well."""
    if name in MODES:
        return (name,)
    if name not in _MODE_NAMES:
        raise typer.BadParameter(f"{name!r} is not aes, xchacha or any", param_hint="--mode")
    mode = _MODE_NAMES[name]
    return None if mode is None else (mode,)


def server_info(
    endpoint: str,
    server_id: int,
    channel_id: int,
    user_id: int,
    session_id: str,
    token: str,
    insecure: bool,
) -> VoiceServerInfo:
    """Make the `VoiceServerInfo` of a call, reading the token and judging the endpoint."""
    if token == "-":
        token = sys.stdin.readline().strip()
    if not token:
        raise typer.BadParameter("it is empty", param_hint="--token")
    url = urlsplit(websocket_url(endpoint, 8))
    try:
        port = url.port
    except ValueError:
        port = None
    if not url.hostname or ("://" not in endpoint and port is None):
        raise typer.BadParameter(f"{endpoint!r} is not host:port", param_hint="--endpoint")
    if url.scheme == "ws" and not insecure and not _is_loopback(url.hostname):
        raise typer.BadParameter(
            "ws:// sends the token in clear; use wss://, or add --insecure",
            param_hint="--endpoint",
        )
    return VoiceServerInfo(
        endpoint=endpoint,
        server_id=server_id,
        channel_id=channel_id,
        user_id=user_id,
        session_id=session_id,
        token=token,
    )


def tls_context(ca_file: Path | None) -> ssl.SSLContext | None:
    """Return the context for --ca-file; None: the system's certificates."""
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=os.fspath(ca_file))
    except ssl.SSLError:
        raise typer.BadParameter(
            f"{ca_file} holds no PEM certificate", param_hint="--ca-file"
        ) from None
    except OSError as error:
        raise typer.BadParameter(f"{ca_file}: {error.strerror}", param_hint="--ca-file") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
