"""``voicekit demo``: a whole call on this machine, checked frame by frame."""

from pathlib import Path
from typing import Annotated

import msgspec
import trio
import typer

from ..codes import SILENCE_FRAME
from ..config import Config
from ..media import Recorder, Source, Track, open_sample, open_source, read_opus_packets
from ..pacer import MAX_DEPTH
from ..server import ServerConfig, SessionStats, VoiceServer
from ..server_info import VoiceServerInfo
from ..talk_spurt import SILENCE_FRAMES
from ..trio import Voice, connect
from ..trio import serve as run_server
from .options import Json
from .output import Report
from .running import run

__all__ = ["demo"]

GUILD, CHANNEL, PLAYER, LISTENER = 100, 200, 1001, 1002
#: After the last frame was sent: what is not there by then is lost.
PATIENCE = 2.0
#: For both clients to come to one MLS group; some milliseconds on an idle machine.
GROUP_PATIENCE = 10.0


class Tapped:
    """A source that remembers what was read from it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.passthrough = source.passthrough
        self.duration = source.duration
        self.frames: list[bytes] = []

    def read(self) -> bytes | None:
        """Return the next frame of the source."""
        frame = self._source.read()
        if frame is not None:
            self.frames.append(frame)
        return frame

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class Ended:
    """What is to be said of a call once it is over."""

    def __init__(self, voice: Voice) -> None:
        self.mode = voice.connection.mode
        self.dave_version = voice.connection.dave_version
        self.privacy_code = voice.connection.privacy_code
        self.frames_sent_clear = voice.stats().frames_sent_clear


def grouped(digits: str) -> str:
    """Write a privacy code as people read it aloud: groups of five digits."""
    return " ".join(digits[at : at + 5] for at in range(0, len(digits), 5))


def demo(
    file: Annotated[
        Path | None, typer.Argument(help="What to play; a short bundled tune by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to leave the recording.")] = Path(
        "voicekit-demo"
    ),
    json: Json = False,
) -> None:
    """Start a server, play a file from one client, record it with another, compare."""
    source = Tapped(open_sample() if file is None else open_source(file))
    name = "the bundled tune" if file is None else str(file)
    if not run(_demo, source, name, out, Report(json)):
        raise typer.Exit(1)


async def _demo(source: Tapped, name: str, out: Path, report: Report) -> bool:
    recorder = Recorder(out, "ogg")
    server = VoiceServer(ServerConfig(default_channel_id=CHANNEL))
    try:
        async with trio.open_nursery() as nursery:
            listening = await nursery.start(run_server, server)
            report.event(
                "listening",
                f"server     {listening.url} and UDP port {listening.udp_port}, on this machine",
                url=listening.url,
                udp_port=listening.udp_port,
            )
            async with (
                connect(_info(listening.url, LISTENER), config=Config(receive_only=True)) as ears,
                connect(_info(listening.url, PLAYER)) as mouth,
            ):
                await _call(mouth, ears, source, name, recorder, report)
                lost = sum(s.lost for s in ears.stats().streams.values() if s.user_id == PLAYER)
                calls = [Ended(voice) for voice in (mouth, ears)]
            nursery.cancel_scope.cancel()
    finally:
        source.close()
        tracks = recorder.close()
    return _judge(source, tracks, lost, calls, server.stats(), report)


async def _call(
    mouth: Voice, ears: Voice, source: Tapped, name: str, recorder: Recorder, report: Report
) -> None:
    report.event(
        "connected",
        f"clients    user {PLAYER} plays, user {LISTENER} records; {mouth.connection.mode}",
        mode=mouth.connection.mode,
    )
    with trio.move_on_after(GROUP_PATIENCE):
        await mouth.wait_encrypted()
        await ears.wait_encrypted()
    codes = [voice.connection.privacy_code or "none" for voice in (mouth, ears)]
    same = "the same on both sides" if codes[0] == codes[1] else f"but {codes[1]} on the other side"
    report.event(
        "encrypted",
        f"encrypted  end to end, DAVE version {mouth.connection.dave_version}; privacy code"
        f" {grouped(codes[0])}, {same}",
        dave_version=mouth.connection.dave_version,
        epochs=[voice.connection.dave_epoch for voice in (mouth, ears)],
        privacy_codes=codes,
    )
    how = "its Opus packets untouched" if source.passthrough else "encoded to Opus"
    report.event("playing", f"playing    {name}, {how}", passthrough=source.passthrough)
    async with trio.open_nursery() as nursery:
        everything = trio.Event()
        expected: int | None = None  # not known before the source has ended
        received = 0

        async def listen() -> None:
            nonlocal received
            async for frame in ears.frames():
                if frame.user_id == PLAYER:
                    recorder.write(frame)
                    received += 1
                if received == expected:
                    everything.set()

        nursery.start_soon(listen)
        with report.progress("playing", source.duration) as bar:
            await mouth.play(source, ring=MAX_DEPTH, progress=bar.update)
        expected = len(source.frames) + SILENCE_FRAMES
        if received < expected:
            with trio.move_on_after(PATIENCE):
                await everything.wait()
        nursery.cancel_scope.cancel()


def _judge(
    source: Tapped,
    tracks: list[Track],
    lost: int,
    calls: "list[Ended]",
    sessions: list[SessionStats],
    report: Report,
) -> bool:
    sent = source.frames + [SILENCE_FRAME] * SILENCE_FRAMES
    path = tracks[0].path if tracks else None
    recorded = read_opus_packets(path) if path else []
    equal = recorded == sent
    bad = sum(sum(session.packets_bad.values()) for session in sessions)
    mouth, ears = calls
    encrypted = mouth.dave_version > 0 and mouth.privacy_code == ears.privacy_code
    clear = mouth.frames_sent_clear
    ok = equal and not lost and not bad and encrypted and not clear
    report.event(
        "done",
        "\n".join(
            (
                f"sent       {len(source.frames)} frames ({len(source.frames) * 0.02:.1f} s)"
                f" and {SILENCE_FRAMES} frames of silence",
                f"received   {len(recorded)} of {len(sent)}, lost {lost};"
                f" {clear or 'none'} sent in clear;"
                f" the server found {bad or 'no'} bad packets",
                f"recording  {path or 'none'}: "
                + (
                    "every Opus packet equals the one sent"
                    if equal
                    else "DIFFERS from what was sent"
                ),
                "",
                "Next: `voicekit serve` runs such a server for your own tests, `voicekit play`",
                "and `voicekit record` join any, `voicekit doctor` shows what is installed.",
            )
        ),
        ok=ok,
        frames_sent=len(source.frames),
        silence_frames=SILENCE_FRAMES,
        frames_received=len(recorded),
        lost=lost,
        identical=equal,
        mode=mouth.mode,
        dave_version=mouth.dave_version,
        privacy_codes=[mouth.privacy_code, ears.privacy_code],
        frames_sent_clear=clear,
        tracks=[msgspec.to_builtins(track, enc_hook=str) for track in tracks],
        server=[msgspec.to_builtins(session) for session in sessions],
    )
    return ok


def _info(url: str, user_id: int) -> VoiceServerInfo:
    return VoiceServerInfo(
        endpoint=url,
        server_id=GUILD,
        channel_id=CHANNEL,
        user_id=user_id,
        session_id=f"demo-session-{user_id}",
        token=f"demo-token-{user_id}",
    )
