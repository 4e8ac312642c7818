"""discord.py 2.7 with davey and voicekit in one end-to-end encrypted call."""

import hashlib
import ssl
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import trio

from voicekit import Config
from voicekit.codes import SILENCE_FRAME
from voicekit.events import DaveFailed, DaveRecovering, DaveTransition
from voicekit.server_info import VoiceServerInfo
from voicekit.testing import opus_frame
from voicekit.trio import Voice, connect

from ..independent.certificates import Certificates
from ..independent.process import OURS, PLAIN, ServerProcess
from ..independent.raw_client import CHANNEL_ID, SERVER_ID
from ..trio.calls import until
from .bot import BOT, Bot, tls

pytestmark = pytest.mark.interop

FIRST, SECOND = 3001, 3002
#: For anything that a test waits for; seconds even on a busy machine.
PATIENCE = 40.0
DAVE = ("--dave", "required", "--channel-id", str(CHANNEL_ID))
SERVERS = {"plain server": PLAIN, "voicekit serve": OURS}


@pytest.fixture(params=SERVERS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return SERVERS[request.param]


class Frames:
    """A source of numbered packets."""

    def __init__(self, count: int) -> None:
        self.sent = [opus_frame(number) for number in range(count)]
        self._left = iter(self.sent)

    def read(self) -> bytes | None:
        return next(self._left, None)


class Member:
    """A voicekit client that hears everybody; for an ``async with`` of `joined`."""

    def __init__(self, server: ServerProcess, authority: Path, user_id: int, **config: Any) -> None:
        self._info = VoiceServerInfo(
            endpoint=server.endpoint,
            server_id=SERVER_ID,
            channel_id=CHANNEL_ID,
            user_id=user_id,
            session_id=f"session {user_id}",
            token="token",
        )
        self._context = ssl.create_default_context(cafile=str(authority))
        self._config = Config(receive_only=True, **config)
        self.heard: dict[int, list[bytes]] = defaultdict(list)
        self.heard_clear = 0
        self.privacy_codes: list[str] = []
        self.trouble: list[object] = []
        self.voice: Voice

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Be in the call until cancelled; started once audio can be sent."""
        async with (
            connect(self._info, config=self._config, ssl_context=self._context) as self.voice,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._listen)
            nursery.start_soon(self._watch)
            task_status.started()
            await trio.sleep_forever()

    async def _listen(self) -> None:
        async for frame in self.voice.frames():
            if frame.opus != SILENCE_FRAME:
                self.heard[frame.user_id].append(frame.opus)
                self.heard_clear += not frame.e2ee

    async def _watch(self) -> None:
        async for event in self.voice.events():
            match event:
                case DaveTransition():
                    self.privacy_codes.append(self.voice.connection.privacy_code or "")
                case DaveRecovering() | DaveFailed():
                    self.trouble.append(event)

    async def members(self, *users: int) -> None:
        """Wait until the encrypted group is of exactly these."""
        connection = self.voice.connection
        with trio.fail_after(PATIENCE):
            await until(lambda: connection.is_encrypted and connection.dave_members == users)

    async def hears(self, user_id: int, count: int) -> None:
        with trio.fail_after(PATIENCE):
            await until(lambda: len(self.heard[user_id]) >= count)


def digest(frames: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(frames)).hexdigest()


def assert_encrypted(session: dict[str, Any], frames: int) -> None:
    """The server's word: every packet valid, and not one frame in clear but silence."""
    assert session["dave_version"] == 1
    assert session["packets_bad"] == {}
    assert session["frames_clear"] == 0
    assert session["frames_e2ee"] >= frames  # some encrypt their silence
    assert session["packets_valid"] == session["frames_e2ee"] + session["frames_silence"]
    assert session.get("messages_bad", {}) == {}  # the plain server does not count them


@pytest.mark.parametrize("first", ["voicekit first", "discord.py first"])
@pytest.mark.parametrize("backend", ["dave.py", "davey"])
def test_both_hear_each_other_byte_for_byte(
    discordpy: Path, certificates: Certificates, command: tuple[str, ...], backend: str, first: str
) -> None:
    frames = Frames(150)
    task = {"encrypted": True, "listen": True, "frames": 150, "linger": 0.5}
    with ServerProcess(*tls(certificates), *DAVE, command=command) as server:

        async def call() -> tuple[Member, dict[str, Any]]:
            member = Member(server, certificates.authority, FIRST, dave_backend=backend)
            async with trio.open_nursery() as nursery:
                if first == "voicekit first":
                    await nursery.start(member.run)
                with Bot(discordpy, certificates.authority, server, **task) as bot:
                    if first == "discord.py first":
                        await trio.to_thread.run_sync(bot.wait_connected)
                        await nursery.start(member.run)
                    await member.members(BOT, FIRST)
                    await member.voice.play(frames)
                    await member.hears(BOT, 150)
                    member_code = member.voice.connection.privacy_code
                    result = await trio.to_thread.run_sync(bot.result)
                assert result["privacy_codes"][-1] == member_code
                nursery.cancel_scope.cancel()
            return member, result

        member, result = trio.run(call)
        sessions = {int(session["user_id"]): session for session in server.stop()}
    assert result["dave_version"] == 1
    assert digest(member.heard[BOT]) == result["sha256"]
    assert member.heard_clear == 0
    assert result["heard"] == {str(FIRST): 150}
    assert result["heard_clear"] == result["undecryptable"] == {}
    assert result["heard_sha256"] == {str(FIRST): digest(frames.sent)}
    assert member.trouble == []
    assert_encrypted(sessions[BOT], 150)
    assert_encrypted(sessions[FIRST], 150)


@pytest.mark.parametrize("backend", ["dave.py", "davey"])
def test_a_third_member_joins_and_leaves_in_mid_call(
    discordpy: Path, certificates: Certificates, command: tuple[str, ...], backend: str
) -> None:
    """Nobody who stays loses a frame, and all agree on each privacy code on the way."""
    spoken, guest_spoken = Frames(400), Frames(50)
    task = {"encrypted": True, "listen": True, "frames": 400, "linger": 0.5}
    with ServerProcess(*tls(certificates), *DAVE, command=command) as server:

        async def call() -> tuple[Member, Member, dict[str, Any]]:
            member = Member(server, certificates.authority, FIRST, dave_backend=backend)
            guest = Member(server, certificates.authority, SECOND)
            async with trio.open_nursery() as nursery:
                await nursery.start(member.run)
                with Bot(discordpy, certificates.authority, server, **task) as bot:
                    await member.members(BOT, FIRST)
                    nursery.start_soon(member.voice.play, spoken)
                    await member.hears(BOT, 50)
                    async with trio.open_nursery() as visit:
                        await visit.start(guest.run)
                        await guest.members(BOT, FIRST, SECOND)
                        await guest.voice.play(guest_spoken)
                        await guest.hears(BOT, 50)
                        await guest.hears(FIRST, 50)
                        visit.cancel_scope.cancel()
                    await member.members(BOT, FIRST)
                    await member.hears(BOT, 400)
                    result = await trio.to_thread.run_sync(bot.result)
                nursery.cancel_scope.cancel()
            return member, guest, result

        member, guest, result = trio.run(call)
        sessions = {int(session["user_id"]): session for session in server.stop()}

    assert digest(member.heard[BOT]) == result["sha256"]
    assert member.heard[SECOND] == guest_spoken.sent
    assert result["heard"] == {str(FIRST): 400, str(SECOND): 50}
    assert result["heard_sha256"][str(FIRST)] == digest(spoken.sent)
    assert result["heard_sha256"][str(SECOND)] == digest(guest_spoken.sent)
    assert result["heard_clear"] == result["undecryptable"] == {}
    first = spoken.sent.index(guest.heard[FIRST][0])
    assert guest.heard[FIRST] == spoken.sent[first : first + len(guest.heard[FIRST])]
    assert member.heard_clear == guest.heard_clear == 0

    with_two, with_three, with_two_again = member.privacy_codes
    assert len({with_two, with_three, with_two_again}) == 3
    assert guest.privacy_codes[:1] == [with_three]
    assert result["privacy_codes"] == member.privacy_codes
    assert member.trouble == guest.trouble == []

    assert_encrypted(sessions[BOT], 400)
    assert_encrypted(sessions[FIRST], 400)
    assert_encrypted(sessions[SECOND], 50)
