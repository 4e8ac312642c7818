"""Whole calls, in memory on a clock that jumps."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from voicekit.config import Config
from voicekit.errors import CallClosed, LocalProtocolError, MediaError
from voicekit.events import (
    AudioStopped,
    Closed,
    SessionReady,
    SpeakingStarted,
    UserJoined,
)
from voicekit.outputs import SendDatagram, SendText

from ..trio.calls import EARS, MOUTH, SILENCE, Packets, account, collect, info, numbered
from .libraries import Listening, Network, lib, until


@asynccontextmanager
async def ears_and_mouth(listening: Listening, network: Network) -> AsyncIterator[tuple[Any, Any]]:
    """A call that only listens, and one that speaks."""
    async with (
        lib.connect(
            info(listening.url, EARS), config=Config(receive_only=True), network=network
        ) as ears,
        lib.connect(info(listening.url, MOUTH), network=network) as mouth,
    ):
        yield ears, mouth


def test_the_block_begins_when_audio_can_be_sent_and_its_end_leaves_the_call() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            assert voice.connection.is_ready
            assert voice.closed is None
            assert account(listening).state == "established"
        assert voice.connection.is_closed
        assert isinstance(voice.closed, Closed)
        assert voice.closed.error is None
        await lib.checkpoint()
        assert account(listening).state == "ended"
        assert account(listening).close_code == 1000

    lib.in_memory(use)


def test_audio_goes_both_ways_byte_for_byte() -> None:
    async def use(listening: Listening, network: Network) -> None:
        one, two = numbered(40), numbered(50)[40:]
        heard_one: list[bytes] = []
        heard_two: list[bytes] = []
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as first,
            lib.connect(info(listening.url, EARS), network=network) as second,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(collect, first.frames(), heard_two)
            nursery.start_soon(collect, second.frames(), heard_one)
            async with lib.open_nursery() as players:
                players.start_soon(first.play, Packets(one))
                players.start_soon(second.play, Packets(two))
            await lib.sleep(1)
            nursery.cancel_scope.cancel()
        assert heard_one == one + SILENCE
        assert heard_two == two + SILENCE
        for user in (MOUTH, EARS):
            assert account(listening, user).packets_bad == {}
            assert account(listening, user).packets_missing == 0

    lib.in_memory(use)


def test_play_sends_a_frame_every_20_ms_and_returns_after_the_silence() -> None:
    arrivals: list[float] = []

    async def use(listening: Listening, network: Network) -> None:
        async with ears_and_mouth(listening, network) as (ears, mouth):
            frames = ears.frames()
            progress: list[float] = []
            began = lib.current_time()
            await mouth.play(Packets(numbered(100)), progress=progress.append)
            took = lib.current_time() - began
            assert took == pytest.approx(2.0 + 4 * 0.02, abs=0.021)
            for _ in range(105):
                arrivals.append((await frames.receive()).arrived - began)
            first = arrivals[0]
            assert 0 <= first <= 0.021, "it takes the emptiest place in the period"
            expected = [first + 0.02 * n for n in range(105)]
            assert arrivals == pytest.approx(expected, abs=1e-6)
            assert progress[-1] == pytest.approx(2.0)
            assert mouth.frames_played == 100
            assert mouth.lateness() == {"p50": 0.0, "p99": 0.0, "max": 0.0}

    lib.in_memory(use)


def test_leaving_in_mid_speech_sends_the_silence_first() -> None:
    async def use(listening: Listening, network: Network) -> None:
        began = lib.current_time()
        async with lib.connect(info(listening.url), network=network) as voice:
            for packet in numbered(3):
                assert voice.send_audio(packet)
            began = lib.current_time()
        assert lib.current_time() - began == pytest.approx(0.1, abs=0.03)
        await lib.wait_all_tasks_blocked()
        assert account(listening).packets_valid == 3 + 5
        assert account(listening).packets_bad == {}
        assert account(listening).close_code == 1000

    lib.in_memory(use)


def test_speaking_is_sent_before_the_first_packet() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            connection = voice.connection
            connection.send_audio(numbered(1)[0], lib.current_time())
            outputs = [type(connection.poll()), type(connection.poll()), connection.poll()]
            assert outputs == [SendText, SendDatagram, None]

    lib.in_memory(use)


def test_what_is_asked_of_the_connection_itself_is_carried_out_by_drain() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            voice.connection.send_audio(numbered(1)[0], lib.current_time())
            voice.drain()
            await lib.sleep(0.01)
            assert account(listening).packets_valid == 1

    lib.in_memory(use)


def test_stop_audio_ends_a_talk_spurt_without_waiting() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            voice.send_audio(numbered(1)[0])
            voice.stop_audio()
            async for event in voice.events():
                if isinstance(event, AudioStopped):
                    break
            await until(lambda: account(listening).packets_valid == 6)  # on their way

    lib.in_memory(use)


def test_what_the_block_raises_comes_out_bare_after_leaving_properly() -> None:
    async def use(listening: Listening, network: Network) -> None:
        error = ZeroDivisionError("mine")
        with pytest.raises(ZeroDivisionError) as caught:
            async with lib.connect(info(listening.url), network=network):
                raise error
        assert caught.value is error
        await lib.wait_all_tasks_blocked()
        assert account(listening).close_code == 1000

        group = ExceptionGroup("mine", [ValueError()])
        with pytest.raises(ExceptionGroup) as caught_group:
            async with lib.connect(info(listening.url), network=network):
                raise group
        assert caught_group.value is group

    lib.in_memory(use)


def test_the_first_events_iterator_begins_before_the_block() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, EARS), network=network),
            lib.connect(info(listening.url, MOUTH), network=network) as voice,
        ):
            events = voice.events()
            seen = [await events.receive(), await events.receive()]
            assert UserJoined(EARS) in seen
            assert SessionReady in map(type, seen)
            later = voice.events()
            with lib.move_on_after(1):
                pytest.fail(f"nothing happened after {await later.receive()}")

    lib.in_memory(use)


def test_events_end_with_closed_and_frames_just_end_when_the_call_was_left() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            events, frames = voice.events(), voice.frames()
            await voice.aclose()
            await voice.aclose()
            assert isinstance([event async for event in events][-1], Closed)
            assert [frame async for frame in frames] == []
            assert [event async for event in voice.events()] == [voice.closed]
            assert [frame async for frame in voice.frames()] == []
            assert not voice.send_audio(numbered(1)[0])
            voice.stop_audio()
            with pytest.raises(CallClosed):
                await voice.play(Packets(numbered(1)))
            with pytest.raises(CallClosed):
                await voice.wait_ready()

    lib.in_memory(use)


def test_a_slow_consumer_loses_its_oldest_frames_and_holds_nobody_up() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with ears_and_mouth(listening, network) as (ears, mouth):
            slow, fast = ears.frames(size=10), ears.frames()
            packets = numbered(100)
            await mouth.play(Packets(packets))
            await lib.sleep(1)
            everything = packets + SILENCE
            assert [(await fast.receive()).opus for _ in range(105)] == everything
            assert fast.dropped == 0
            assert [(await slow.receive()).opus for _ in range(10)] == everything[-10:]
            assert slow.dropped == 95

    lib.in_memory(use)


def test_a_closed_iterator_takes_no_more_frames_and_others_go_on() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with ears_and_mouth(listening, network) as (ears, mouth):
            kept = ears.frames()
            async with ears.frames() as closed, ears.events() as events:
                pass
            await mouth.play(Packets(numbered(1)))
            assert (await kept.receive()).opus == numbered(1)[0]
            for stream in (closed, events):
                with pytest.raises(lib.ClosedResourceError):
                    await stream.receive()

    lib.in_memory(use)


def test_two_cannot_play_at_once() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(voice.play, Packets(numbered(10)))
            await lib.sleep(0.05)
            with pytest.raises(LocalProtocolError, match="already"):
                await voice.play(Packets(numbered(10)))
        assert account(listening).packets_valid == 15

    lib.in_memory(use)


def test_a_cancelled_play_ends_the_audio_and_another_can_follow() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            with lib.move_on_after(0.05):
                await voice.play(Packets(numbered(100)))
            await lib.sleep(1)
            assert account(listening).packets_valid == 3 + 5
            await voice.play(Packets(numbered(10)))
            assert account(listening).packets_valid == 3 + 5 + 10 + 5
            assert account(listening).packets_bad == {}

    lib.in_memory(use)


def test_a_source_that_breaks_plays_what_it_had_and_raises_bare() -> None:
    class Broken(Packets):
        def read(self) -> bytes | None:
            packet = super().read()
            if packet is None:
                raise MediaError("the file is cut off")
            return packet

    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            with pytest.raises(MediaError, match="cut off"):
                await voice.play(Broken(numbered(20)))
            await lib.sleep(1)
            assert account(listening).packets_valid == 25

    lib.in_memory(use)


def test_leaving_ends_a_play_in_another_task() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async def play() -> None:
            with pytest.raises(CallClosed):
                await voice.play(Packets(numbered(1000)))

        async with (
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(play)
            await lib.sleep(0.05)
            began = lib.current_time()
            await voice.aclose()
            assert lib.current_time() - began < 0.5
        assert account(listening).packets_bad == {}
        assert account(listening).packets_valid == voice.frames_played + 5, "silence, once"
        assert account(listening).close_code == 1000

    lib.in_memory(use)


def test_silence_frames_of_a_listener_are_sent_without_being_asked() -> None:
    async def use(listening: Listening, network: Network) -> None:
        config = Config(receive_only=True)
        async with lib.connect(info(listening.url), config=config, network=network) as voice:
            await lib.sleep(1)
            assert account(listening).packets_valid == 5
            assert voice.stats().packets_sent == 5

    lib.in_memory(use)


def test_speaking_of_others_is_reported() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with ears_and_mouth(listening, network) as (ears, mouth):
            events = ears.events()
            await mouth.play(Packets(numbered(3)))
            with lib.fail_after(5):
                async for event in events:
                    if isinstance(event, SpeakingStarted) and event.user_id == MOUTH:
                        break

    lib.in_memory(use)


def test_a_call_of_an_hour_keeps_its_keepalives_and_heartbeats() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            await lib.sleep(3600)
            assert voice.connection.is_ready
            assert voice.stats().reconnects == 0
            assert voice.stats().latency is not None
            assert voice.stats().max_timer_lateness == 0.0
        assert account(listening).keepalives == pytest.approx(720, abs=2)
        assert account(listening).heartbeats == pytest.approx(3600 / 13.75, abs=2)

    lib.in_memory(use)


def test_a_program_that_blocked_finds_it_in_the_statistics_and_the_call_goes_on() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            await lib.sleep(60)
            assert voice.stats().max_timer_lateness == 0
            lib.jump(12)  # what `time.sleep(12)` in somebody's handler does
            await lib.sleep(60)
            assert voice.stats().max_timer_lateness == pytest.approx(12, abs=5)
            assert voice.stats().reconnects == 0
            assert voice.connection.is_ready

    lib.in_memory(use)


def test_nothing_is_raised_at_the_end_of_a_block_that_ignored_the_end_of_the_call() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            listening.server.faults.close(4004, lib.current_time())
            listening.drain()
            await lib.sleep(1)
            assert voice.closed is not None
        assert voice.closed.code == 4004
        assert voice.connection.next_timeout() in (None, math.inf)

    lib.in_memory(use)
