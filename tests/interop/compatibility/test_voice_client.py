"""discord.py and its forks: the members of a voice client, as `bots/discord_checks.py` has them.

``pytest -n 0 -m interop tests/interop/compatibility``
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicekit import AudioFrame
from voicekit.opus import Decoder
from voicekit.server import ServerConfig
from voicekit.testing import guild, opus_frame

from .conftest import Station
from .libraries import BOTS, LIBRARIES, Library
from .process import run_bot
from .scenarios import Call

DISCORD_LIKE = [one for one in LIBRARIES if one.name not in ("hikari", "interactions.py")]
PYCORD = [one for one in LIBRARIES if one.name == "py-cord"]
NEXTCORD = [one for one in LIBRARIES if one.name == "nextcord"]

pytestmark = pytest.mark.interop


def of(libraries: list[Library]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "station", libraries, indirect=True, ids=lambda one: one.name, scope="module"
    )


def names_in(module: str, without: tuple[str, ...]) -> list[str]:
    """Return the coroutine functions of a script, which needs its library to be imported."""
    lines = (BOTS / f"{module}.py").read_text(encoding="utf-8").splitlines()
    names = [line.split()[2].split("(")[0] for line in lines if line.startswith("async def")]
    return [name for name in names if not name.startswith("_") and name not in without]


#: Those with a test of their own, and what is no check.
APART = ("until", "coroutine_after", "samples_need_libopus", "latency_is_known")


@of(DISCORD_LIKE)
@pytest.mark.parametrize("check", names_in("discord_checks", APART))
def test_its_members_do_as_their_users_know(station: Station, check: str) -> None:
    station.run(checked("discord_checks", check))


@of(NEXTCORD)
def test_nextcord_awaits_after(station: Station) -> None:
    station.run(checked("discord_checks", "coroutine_after"))


@of(DISCORD_LIKE)
def test_it_works_without_libopus_and_without_reconnecting(
    station: Station, tmp_path: Path
) -> None:
    async def main() -> None:
        voice = ServerConfig(heartbeat_interval=1.0)
        missing = {"VOICEKIT_OPUS_LIBRARY": "no such file"}
        log = tmp_path / "log"
        async with (
            guild(voice=voice) as made,
            run_bot(station.python, station.library, made, log, **missing) as bot,
        ):
            await bot.ask("login")
            await bot.ask("join", channel_id=made.channel_id("General"), reconnect=False)
            for name in ("samples_need_libopus", "latency_is_known"):
                await bot.ask("check", module="discord_checks", name=name)
            made.drop()
            await made.left()
            assert await bot.ask("state") == {"connected": False, "channel": None}

    asyncio.run(main())


OF_PYCORD = (
    "record_a_wave_sink",
    "record_with_a_callback_of_2_8",
    "sinks_have_their_filters",
    "a_sink_that_raises_is_told",
    "recording_errors_of_old_and_new",
)


@of(DISCORD_LIKE)
@pytest.mark.parametrize("check", names_in("recording_checks", OF_PYCORD))
def test_it_records(station: Station, check: str) -> None:
    station.run(checked("recording_checks", check, speaking=True))


@of(PYCORD)
@pytest.mark.parametrize("check", OF_PYCORD)
def test_it_records_into_sinks_of_py_cord(station: Station, check: str) -> None:
    station.run(checked("recording_checks", check, speaking=True))


def checked(module: str, name: str, *, speaking: bool = False) -> Callable[[Call], Awaitable[None]]:
    async def check(call: Call) -> None:
        if "Full" not in call.guild.channels:
            call.guild.add_channel("Full", is_full=True)
        async with call.guild.speaker(channel="General") as alice:
            await call.join()
            await alice.encrypted()
            talks = asyncio.ensure_future(alice.talk(30.0) if speaking else asyncio.sleep(0))
            try:
                await call.bot.ask("check", module=module, name=name)
            finally:
                talks.cancel()
            await call.leave()

    return check


@of(DISCORD_LIKE)
def test_what_plays_goes_on_while_the_session_is_resumed(station: Station) -> None:
    async def scenario(call: Call) -> None:
        async with call.guild.speaker(channel="General") as alice:
            await call.join()
            await alice.encrypted()
            plays = asyncio.ensure_future(call.bot_talks_to(alice, 75))
            await asyncio.sleep(0.5)
            call.guild.drop()
            await plays  # every frame, in order, byte for byte
            await call.leave()

    station.run(scenario)


@of(DISCORD_LIKE)
def test_what_plays_goes_on_in_a_new_session(station: Station) -> None:
    async def scenario(call: Call) -> None:
        async with call.guild.speaker(channel="General") as alice:
            await call.join()
            await alice.encrypted()
            plays = asyncio.ensure_future(call.bot.ask("play", first=0, count=75))
            await asyncio.sleep(0.5)
            call.guild.close(4006)
            await plays
            await call.leave()
            heard = [frame.opus for frame in alice.heard()]
        sent = [opus_frame(number) for number in range(75)]
        assert heard == [frame for frame in sent if frame in set(heard)], "in order, none twice"
        assert heard[-1] == sent[-1]
        # What was on its way when the server had closed the session.
        assert len(sent) - len(heard) < 10

    station.run(scenario)


@of(DISCORD_LIKE)
def test_samples_are_encoded_and_the_volume_of_a_transformer_is_live(station: Station) -> None:
    async def scenario(call: Call) -> None:
        async with call.guild.speaker(channel="General") as alice:
            await call.join()
            hears = asyncio.ensure_future(alice.listen(100))
            await asyncio.sleep(0)
            await call.bot.ask("fade", seconds=2.0, after=1.0, volume=0.25)
            heard = await hears
            await call.leave()
        levels = levels_of(heard)
        assert levels[5:40].mean() == pytest.approx(8000 / 2**0.5, rel=0.1)
        assert levels[70:95].mean() == pytest.approx(2000 / 2**0.5, rel=0.1)

    station.run(scenario)


def levels_of(heard: list[AudioFrame]) -> npt.NDArray[np.float64]:
    """Return how loud each frame is (RMS)."""
    decoder = Decoder()
    pcm = b"".join(decoder.decode(frame.opus) for frame in heard)
    samples = np.frombuffer(pcm, np.int16)[::2].astype(np.float64).reshape(-1, 960)
    return np.sqrt((samples**2).mean(axis=1))
