"""The rows of docs/compatibility.md: what happens to a bot in a call, and what has to follow.

Each begins with the bot logged in and in no channel.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

import pytest

from voicekit.testing import Guild, Speaker, opus_frame

from .process import Bot, BotFailed

__all__ = ["SCENARIOS", "Call", "Scenario"]

#: Half a second of audio: enough to hear a gap at its beginning.
FRAMES = 25


class Call:
    """A bot, its guild, and numbers for frames that are never used twice."""

    def __init__(self, guild: Guild, bot: Bot) -> None:
        self.guild = guild
        self.bot = bot
        self._numbers = count()

    async def join(self, channel: str = "General") -> None:
        """Have the bot join by its library."""
        await self.bot.ask("join", channel_id=self.guild.channel_id(channel))
        await self.guild.joined(channel)

    async def leave(self) -> None:
        """Have the bot leave by its library."""
        await self.bot.ask("leave")
        await self.guild.left()
        assert await self.bot.ask("state") == {"connected": False, "channel": None}

    async def bot_talks_to(self, speaker: Speaker, frames: int = FRAMES) -> None:
        """Have the bot play; all of it must be heard, in order, byte for byte, encrypted."""
        first = next(self._numbers) * 1000
        await self.bot.ask("play", first=first, count=frames)
        heard = await speaker.listen(frames)
        assert [frame.opus for frame in heard] == [opus_frame(first + n) for n in range(frames)]
        assert all(frame.e2ee for frame in heard)

    async def bot_hears(self, speaker: Speaker, frames: int = FRAMES) -> None:
        """Have somebody talk to the bot: it must hear all of it, byte for byte, encrypted."""
        sent = Numbered(next(self._numbers) * 1000, frames)
        await speaker.play(sent)
        digest = hashlib.sha256(b"".join(sent.sent)).hexdigest()
        expected = {"frames": frames, "e2ee": frames, "sha256": digest}
        for _ in range(50):
            heard = await self.bot.ask("heard")
            if heard.get(str(speaker.user_id)) == expected:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"heard {heard}, not {expected}")

    async def stays_in(self, channel: str) -> None:
        """Check that the bot's library knows where it is."""
        state = {"connected": True, "channel": self.guild.channel_id(channel)}
        for _ in range(100):
            if await self.bot.ask("state") == state:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{await self.bot.ask('state')}, not {state}")

    async def is_out(self) -> None:
        """Check that the bot's library knows that it is in no channel."""
        for _ in range(100):
            if not (await self.bot.ask("state"))["connected"]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it thinks that it is connected")


class Numbered:
    """A source of numbered Opus packets."""

    blocking = False

    def __init__(self, first: int, frames: int) -> None:
        self.sent = [opus_frame(first + n) for n in range(frames)]
        self._left: Iterator[bytes] = iter(self.sent)

    def read(self) -> bytes | None:
        return next(self._left, None)


async def join(call: Call) -> None:
    await call.join()
    await call.stays_in("General")
    assert call.guild.session().dave_version == 1
    await call.leave()


async def play(call: Call) -> None:
    async with call.guild.speaker(channel="General") as alice:
        await call.join()
        await call.bot_talks_to(alice)
        await call.leave()


async def receive(call: Call) -> None:
    async with call.guild.speaker(channel="General") as alice:
        await call.join()
        await alice.encrypted()
        await call.bot_hears(alice)
        await call.leave()


async def move(call: Call, *, close_first: bool = False) -> None:
    """4014 after the update, or before it: the call goes on in the other channel."""
    async with call.guild.speaker(channel="Music") as alice:
        await call.join("General")
        call.guild.move("Music", close_first=close_first)
        await call.guild.joined("Music")
        await call.stays_in("Music")
        await call.bot_talks_to(alice)
        await alice.encrypted()
        await call.bot_hears(alice)
        await call.leave()


async def move_close_first(call: Call) -> None:
    await move(call, close_first=True)


async def kick(call: Call, *, close_first: bool = False) -> None:
    """Out, for good, whichever comes first: the close or the null channel."""
    await call.join()
    call.guild.kick(close_first=close_first)
    await call.guild.left()
    await call.is_out()


async def kick_close_first(call: Call) -> None:
    await kick(call, close_first=True)


async def drop_and_resume(call: Call) -> None:
    async with call.guild.speaker(channel="General") as alice:
        await call.join()
        await call.bot_talks_to(alice)
        call.guild.drop()
        await call.guild.until(lambda: call.guild.session().resumes == 1, "resumed")
        await call.bot_talks_to(alice)
        await call.leave()


async def change_region(call: Call, *, null_for: float | None = None) -> None:
    async with call.guild.speaker(channel="General") as alice:
        await call.join()
        await call.bot_talks_to(alice)
        region = 1 - call.guild.region_of("General")
        call.guild.change_region("General", region=region, null_for=null_for)
        await call.guild.until(lambda: call.guild.region_of("General") == region, "changed")
        for user in (call.guild.bot_id, alice.user_id):
            await call.guild.joined("General", user)
        await alice.encrypted()
        await call.bot_talks_to(alice)
        await call.leave()


async def null_endpoint(call: Call) -> None:
    await change_region(call, null_for=0.3)


async def invalid_session(call: Call) -> None:
    """4006: it leaves and joins again by itself, and the call goes on."""
    async with call.guild.speaker(channel="General") as alice:
        await call.join()
        sessions = len(call.guild.sessions())
        call.guild.close(4006)
        await call.guild.until(lambda: len(call.guild.sessions()) > sessions, "a new session")
        await call.guild.joined("General")
        await call.stays_in("General")
        await call.bot_talks_to(alice)
        await call.leave()


async def full_channel(call: Call) -> None:
    """No answer comes: the library's own time-out is raised, and it can join elsewhere."""
    with pytest.raises(BotFailed) as raised:
        await call.bot.ask("join", channel_id=call.guild.channel_id("Full"), within=0.5)
    # hikari has one error for all that becomes of asking.
    timed_out = {"TimeoutError", "ConnectFailed", "VoiceConnectionTimeout", "VoiceError"}
    assert timed_out & set(raised.value.bases)
    await call.join("General")
    await call.leave()


async def leave_and_rejoin(call: Call) -> None:
    async with call.guild.speaker(channel="General") as alice:
        for _ in range(2):
            await call.join()
            await call.bot_talks_to(alice, 10)
            await call.leave()


async def main_gateway_drops(call: Call) -> None:
    """The voice call does not depend on the main gateway's WebSocket."""
    async with call.guild.speaker(channel="General") as alice:
        await call.join()
        call.guild.drop_gateway()
        await call.bot_talks_to(alice)
        await call.guild.logged_in()
        await call.leave()


Scenario = Callable[[Call], Awaitable[None]]

#: By the names of the rows.
SCENARIOS: dict[str, Scenario] = {
    "join": join,
    "play": play,
    "receive with E2EE": receive,
    "move (4014 after the update)": move,
    "move (4014 before the update)": move_close_first,
    "kick (4014 after the update)": kick,
    "kick (4014 before the update)": kick_close_first,
    "drop and resume": drop_and_resume,
    "region change": change_region,
    "region change over a null endpoint": null_endpoint,
    "4006": invalid_session,
    "full channel (timeout)": full_channel,
    "leave and rejoin": leave_and_rejoin,
    "the main gateway drops": main_gateway_drops,
}
