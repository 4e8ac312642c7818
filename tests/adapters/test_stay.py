"""`Stay`, in calls on loopback: what adapters of all libraries have in common."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from voicekit.adapters.stay import Stay
from voicekit.errors import (
    ConnectTimedOut,
    GatewayUnavailable,
    LocalProtocolError,
    NotConnected,
)
from voicekit.server_info import VoiceServerInfo
from voicekit.testing import Guild, guild

from .host import Host


@pytest.fixture(scope="module")
def made() -> Iterator[Guild]:
    with guild() as made:
        made.add_channel("Full", is_full=True)
        yield made


def run(made: Guild, scenario: Callable[[Host], Awaitable[None]]) -> Host:
    """Run a scenario in an event loop of its own, which ends with no task left but the loop's."""

    async def main() -> Host:
        host = Host(made)
        await scenario(host)
        if host.stay is not None:
            await host.stay.leave()
        await until(lambda: len(asyncio.all_tasks()) == 1, "tidied up")
        return host

    return asyncio.run(main())


async def until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"not {what}")


def session_count(host: Host) -> int:
    return len(host.guild.sessions(host.user_id))


def test_it_asks_for_the_channel_and_joins_the_call(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay(mute=True)
        assert not stay.is_connected
        voice = await stay.join()
        assert voice is stay.voice is stay.require_voice()
        assert stay.is_connected
        assert host.sits_in() == "General"
        assert stay.endpoint == voice.connection.info.endpoint
        assert stay.token not in repr(stay)
        await stay.leave()
        await stay.leave()  # idempotent
        assert host.sits_in() is None
        assert stay.is_over

    host = run(made, scenario)
    assert host.asked == [made.channel_id("General"), None]
    assert [state.mute for state in host.states] == [True, True]
    assert host.ended == []  # we left


def test_a_channel_for_which_the_host_has_asked_is_adopted(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        first = host.make_stay()
        await first.join()
        info = VoiceServerInfo(
            endpoint=first.endpoint,
            server_id=made.id,
            channel_id=first.channel_id,
            user_id=host.user_id,
            session_id=str(first.session_id),
            token=str(first.token),
        )
        await first.leave(tell=False)
        asked = host.asked.copy()
        assert (await host.make_stay().adopt(info)).connection.is_ready
        assert host.asked == asked

    run(made, scenario)


def test_a_move_ends_where_audio_can_be_sent(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay()
        voice = await stay.join()
        await stay.move(made.channel_id("Music"))
        assert voice.connection.is_ready
        assert stay.channel_id == made.channel_id("Music")
        assert host.sits_in() == "Music"
        asked = len(host.asked)
        await stay.move(made.channel_id("Music"))
        assert len(host.asked) == asked  # nothing, where we are already
        await stay.move(made.channel_id("General"), wait=False)
        await until(lambda: host.sits_in() == "General", "moved")

    run(made, scenario)


def test_who_leaves_in_the_middle_of_a_move_leaves_no_socket(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay()
        await stay.join()
        await stay.move(made.channel_id("Music"), wait=False)
        await until(lambda: host.sits_in() == "Music", "moved")

    for _ in range(4):
        run(made, scenario)
        gc.collect()  # warns of a socket that was not closed


def test_who_moves_to_a_full_channel_stays_where_it_is(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay(patience=0.2)
        voice = await stay.join()
        with pytest.raises(ConnectTimedOut, match="full"):
            await stay.move(made.channel_id("Full"))
        assert stay.is_connected
        assert stay.channel_id == made.channel_id("General")
        await voice.wait_ready()

    run(made, scenario)


def test_a_moderator_may_move_and_kick(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay()
        voice = await stay.join()
        made.move("Music", host.user_id, close_first=True)
        await until(lambda: stay.channel_id == made.channel_id("Music"), "moved")
        await voice.wait_ready()
        made.kick(host.user_id, close_first=True)
        await until(lambda: stay.is_over, "out")
        assert host.ended == [None]
        with pytest.raises(NotConnected, match="connect to a channel first"):
            stay.require_voice()

    host = run(made, scenario)
    assert host.asked == [made.channel_id("General")]  # there was nothing to leave


def test_a_session_that_is_invalid_is_made_anew_as_muted_as_before(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay()
        voice = await stay.join()
        stay.set_self(mute=True)
        states = made._guild.voice_states
        await until(lambda: states[host.user_id].self_mute, "muted")
        before = session_count(host)
        made.close(4006, host.user_id)
        await until(lambda: session_count(host) > before, "a new session")
        await voice.wait_ready()
        assert stay.is_connected
        assert states[host.user_id].self_mute

    host = run(made, scenario)
    general = made.channel_id("General")
    assert host.asked == [general, general, None, general, None]
    assert [state.mute for state in host.states[1:4]] == [True, True, True]


def test_a_region_change_over_a_null_endpoint_is_followed(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay()
        voice = await stay.join()
        before = stay.endpoint
        made.change_region("General", region=1 - made.region_of("General"), null_for=0.05)
        await until(lambda: stay.endpoint not in (before, None), "told where")
        await voice.wait_ready()

    run(made, scenario)


def test_a_full_channel_is_a_deadline_that_says_what_may_be_wrong(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay("Full", patience=0.1)
        with pytest.raises(ConnectTimedOut, match="full"):
            await stay.join()
        await stay.leave()
        host.make_stay()
        assert host.stay is not None
        await host.stay.join()

    host = run(made, scenario)
    assert host.asked[:2] == [made.channel_id("Full"), None]  # or it might let us in later
    assert host.ended == []


def test_a_voice_server_that_is_not_there_is_a_deadline_too(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay(patience=0.1)
        info = VoiceServerInfo(
            endpoint="ws://127.0.0.1:9",
            server_id=made.id,
            channel_id=made.channel_id("General"),
            user_id=host.user_id,
            session_id="session",
            token="token",
        )
        with pytest.raises(ConnectTimedOut, match="did not let us in"):
            await stay.adopt(info)
        assert stay.is_over

    run(made, scenario)


def test_a_host_without_a_gateway_is_told_at_once(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        host.failure = RuntimeError("the shard is not connected")
        with pytest.raises(GatewayUnavailable, match="the shard is not connected"):
            await host.make_stay().join()

    run(made, scenario)


def test_who_is_cancelled_while_joining_leaves(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay("Full")
        joining = asyncio.ensure_future(stay.join())
        await until(lambda: bool(host.asked), "asked")
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
        await until(lambda: host.asked[-1] is None, "left")

    run(made, scenario)


def test_wrong_calls_say_what_to_do(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay()
        with pytest.raises(NotConnected, match="connect to a channel first"):
            await stay.move(made.channel_id("Music"))
        joining = asyncio.ensure_future(stay.join())
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError, match="asked for already"):
            await stay.join()
        await joining
        with pytest.raises(LocalProtocolError, match="move goes elsewhere"):
            await stay.join()
        for call in (stay.require_voice, stay.set_self):
            with pytest.raises(LocalProtocolError, match="run_coroutine_threadsafe"):
                await asyncio.to_thread(call)
        with pytest.raises(LocalProtocolError, match="channel_id is None"):
            await stay.move(None)  # type: ignore[arg-type]
        await stay.leave()
        with pytest.raises(NotConnected, match="another one"):
            await stay.join()
        with pytest.raises(LocalProtocolError, match="user_id"):
            Stay(1, 2, None, host._ask, host.ended.append)  # type: ignore[arg-type]

    run(made, scenario)


def test_events_of_others_and_events_that_are_none_are_passed_over(made: Guild) -> None:
    async def scenario(host: Host) -> None:
        stay = host.make_stay()
        await stay.join()
        before = stay.session_id, stay.token
        stay.receive_voice_state({"guild_id": str(made.id), "user_id": "1", "channel_id": None})
        stay.receive_voice_state({"guild_id": "1", "user_id": str(host.user_id)})
        stay.receive_voice_state({})
        stay.receive_voice_server({"guild_id": "1", "token": "theirs", "endpoint": None})
        stay.receive_voice_server({})
        assert stay.is_connected
        assert (stay.session_id, stay.token) == before

    run(made, scenario)


def test_a_host_whose_event_loop_ends_leaves_no_thread_and_no_socket(made: Guild) -> None:
    threads = set(threading.enumerate())
    users = []

    async def main() -> None:
        host = Host(made)
        users.append(host.user_id)
        await host.make_stay().join()

    asyncio.run(main())  # warnings are errors here: a socket that is open would be one
    assert set(threading.enumerate()) <= threads  # an idle worker of before may have ended

    async def wait() -> None:
        await until(
            lambda: all(one.state == "ended" for one in made.sessions(users[0])), "disconnected"
        )

    asyncio.run(wait())
