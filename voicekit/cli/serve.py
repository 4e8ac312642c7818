"""``voicekit serve``: the loopback voice server, until a signal ends it."""

import random
import signal
import ssl
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import trio
import typer

from ..errors import BackendUnavailable
from ..server import (
    HostVoiceServer,
    HostVoiceState,
    ServerConfig,
    ServerEvent,
    VoiceServer,
    parse_fault,
)
from ..trio import serve as run_server
from .options import Json, Mode, modes_of
from .output import Report
from .running import run

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    ws_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
    udp_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
    channel_id: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**63 - 1,
            help="Channel of clients that name none (gateway version < 9); it names their"
            " encryption group, so without it such calls are in clear.",
        ),
    ] = None,
    dave: Annotated[
        Literal["on", "off", "required"],
        typer.Option(help="End-to-end encryption: where all clients speak it, never, or always."),
    ] = "on",
    token: Annotated[
        str | None, typer.Option(help="Admit only this token; without it any is admitted.")
    ] = None,
    mode: Mode = "any",
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    loss: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of datagrams to clients to lose.")
    ] = 0.0,
    jitter: Annotated[
        float, typer.Option(min=0, help="Random delay of datagrams to clients, in ms.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of everything random in the network.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="Misbehave, such as close:4015@5 (see docs/faults.md). Repeatable."),
    ] = None,
    media: Annotated[
        Literal["open", "count", "relay"],
        typer.Option(help="Audio: opened and judged; or counted; or counted and passed on as is."),
    ] = "open",
    json: Json = False,
) -> None:
    """Run a voice server on this machine, for tests: real WebSockets, real UDP."""
    faults = []
    for text in fault or ():
        try:
            faults.append(parse_fault(text))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--fault") from None
    if media != "open" and (loss or jitter):
        why = "a bad network takes media that is opened"
        raise typer.BadParameter(why, param_hint="--loss, --jitter")
    config = ServerConfig(
        token=token,
        default_channel_id=channel_id,
        dave=dave,
        modes=modes_of(mode),
        loss=loss / 100,
        jitter=jitter / 1000,
        network_seed=seed,
        faults=tuple(faults),
        media=media,
    )
    try:
        server = VoiceServer(config, random=random.SystemRandom())
    except BackendUnavailable as error:
        raise typer.BadParameter(str(error), param_hint="--dave") from None
    run(_serve, server, host, ws_port, udp_port, _tls(tls_cert, tls_key), Report(json))


async def _serve(
    server: VoiceServer,
    host: str,
    ws_port: int,
    udp_port: int,
    context: ssl.SSLContext | None,
    report: Report,
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            listening = await nursery.start(
                partial(run_server, handle_event=partial(_tell_host, report)),
                server,
                host,
                ws_port,
                udp_port,
                context,
            )
            report.event(
                "listening",
                f"listening on {listening.url}, UDP port {listening.udp_port} (Ctrl-C ends it)",
                endpoint=listening.endpoint,
                url=listening.url,
                udp_port=listening.udp_port,
            )
            async for _ in signals:
                break
            nursery.cancel_scope.cancel()
    sessions = [msgspec.to_builtins(session) for session in server.stats()]
    others = msgspec.to_builtins(server.server_stats())
    report.event("stats", _summary(sessions), sessions=sessions, server=others)


def _tell_host(report: Report, event: ServerEvent) -> None:
    """Print what a main gateway would send now: faults move, kick and null-endpoint."""
    match event:
        case HostVoiceState():
            sentence = f"the host's gateway: user {event.user_id} is in {event.channel_id}"
            report.event("voice_state_update", sentence, **event.data)
        case HostVoiceServer():
            sentence = f"the host's gateway: user {event.user_id} has server {event.endpoint}"
            report.event("voice_server_update", sentence, user_id=str(event.user_id), **event.data)


def _summary(sessions: list[dict[str, object]]) -> str:
    lines = [
        f"user {session['user_id']}: {session['packets_valid']} valid packets,"
        f" bad {session['packets_bad'] or 'none'}, {session['mode']},"
        f" {session['frames_e2ee']} frames end-to-end encrypted,"
        f" {session['frames_clear']} in clear,"
        f" {session['resumes']} resumes, {session['dropped_to']} dropped on the way to it"
        for session in sessions
    ]
    return "\n".join(lines) or "no client came"


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise typer.BadParameter("--tls-cert and --tls-key go together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise typer.BadParameter(
            f"{certificate} and {key} are no PEM pair: {error.reason}", param_hint="--tls-cert"
        ) from None
    except OSError as error:
        raise typer.BadParameter(
            f"{certificate} or {key}: {error.strerror}", param_hint="--tls-cert"
        ) from None
    return context
