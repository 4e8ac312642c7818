"""Ticks, speech and single users of a whole call, in memory on a clock that jumps."""

from typing import Any

import pytest

from voicekit.close_codes import ClosePolicy
from voicekit.driver.call import Call as Voice
from voicekit.errors import AuthenticationFailed
from voicekit.events import AudioFrame, Closed
from voicekit.media.receiving import (
    EndReason,
    Speech,
    SpeechBegan,
    SpeechEnded,
    Ticker,
    Utterances,
    VoiceTick,
)

from ..trio.calls import EARS, MOUTH, SILENCE, Packets, info, numbered
from .libraries import Listening, Network, lib

SINGER = 1003


async def play(voice: Voice, packets: list[bytes]) -> None:
    await voice.play(Packets(packets))


def test_ticks_have_everybody_who_speaks_at_once() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.connect(info(listening.url, SINGER), network=network) as singer,
            lib.connect(info(listening.url, EARS), network=network) as ears,
            lib.open_nursery() as nursery,
        ):
            ticks = ears.ticks()
            nursery.start_soon(play, mouth, numbered(50))
            nursery.start_soon(play, singer, numbered(30))
            begin = lib.current_time()
            heard = [await ticks.receive() for _ in range(100)]
        assert heard[-1].at - begin == pytest.approx(99 * 0.02, abs=1e-6)
        assert lib.current_time() >= heard[-1].at
        assert opus_of(heard, MOUTH) == numbered(50) + SILENCE
        assert opus_of(heard, SINGER) == numbered(30) + SILENCE
        assert sum(tick.speaking.keys() == {MOUTH, SINGER} for tick in heard) >= 25
        assert ticks.dropped == 0
        assert ticks.stats()[MOUTH].played == 55

    lib.in_memory(use)


def opus_of(ticks: list[VoiceTick], user: int) -> list[bytes]:
    return [
        item.opus
        for tick in ticks
        for item in tick.speaking.get(user, ())
        if isinstance(item, AudioFrame)
    ]


def test_one_user_until_silence_then_the_next_utterance() -> None:
    async def use(listening: Listening, network: Network) -> None:
        first, second = numbered(40)[:25], numbered(40)[25:]
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.connect(info(listening.url, EARS), network=network) as ears,
        ):
            utterances: list[list[bytes]] = []
            for packets in (first, second):
                heard = ears.listen(MOUTH, until_silence=0.5)
                await mouth.play(Packets(packets))
                utterances.append([opus(speech) async for speech in heard])
                ended = lib.current_time()
                with pytest.raises(lib.EndOfChannel):
                    await heard.receive()
                assert lib.current_time() == ended
        assert utterances == [first + SILENCE, second + SILENCE]

    lib.in_memory(use)


def opus(speech: Speech) -> bytes:
    assert isinstance(speech.item, AudioFrame)
    return speech.item.opus


def test_speech_of_everybody_with_its_borders_and_who_leaves_ends_theirs() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url, EARS), network=network) as ears:
            speech = ears.speech(users=lambda user: user != SINGER)
            async with (
                lib.connect(info(listening.url, MOUTH), network=network) as mouth,
                lib.connect(info(listening.url, SINGER), network=network) as singer,
                lib.open_nursery() as nursery,
            ):
                nursery.start_soon(play, mouth, numbered(20))
                nursery.start_soon(play, singer, numbered(20))
            events = []
            async for event in speech:
                events.append(event)
                if isinstance(event, SpeechEnded):
                    break
        assert isinstance(events[0], SpeechBegan)
        assert [opus(event) for event in events[1:-1] if isinstance(event, Speech)] == (
            numbered(20) + SILENCE
        )
        assert {event.user_id for event in events} == {MOUTH}
        assert isinstance(events[-1], SpeechEnded)
        assert events[-1].reason is EndReason.LEFT

    lib.in_memory(use)


def test_the_end_of_the_call_ends_them_all_and_what_waited_comes_first() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.connect(info(listening.url, EARS), network=network) as ears,
        ):
            ticks, speech, one = ears.ticks(), ears.speech(), ears.listen(MOUTH)
            await mouth.play(Packets(numbered(20)))
            await ears.aclose()
            assert opus_of([tick async for tick in ticks], MOUTH) == numbered(20) + SILENCE
            events = [event async for event in speech]
            assert isinstance(events[-1], SpeechEnded)
            assert events[-1].reason is EndReason.CLOSED
            assert len([opus(piece) async for piece in one]) == 25
            assert [tick async for tick in ears.ticks()] == []

    lib.in_memory(use)


def test_a_slow_reader_loses_the_oldest_and_holds_nobody_up() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.connect(info(listening.url, EARS), network=network) as ears,
        ):
            ticks, speech = ears.ticks(size=10), ears.speech(size=10)
            await mouth.play(Packets(numbered(50)))
            kept = ticks.take()
            assert len(kept) == 10
            assert ticks.dropped == kept[0].number > 40
            assert len(speech.take()) == 10
            assert speech.dropped > 30

    lib.in_memory(use)


def test_a_closed_iterator_takes_nothing_more() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.connect(info(listening.url, EARS), network=network) as ears,
        ):
            speech = ears.speech()
            async with lib.open_nursery() as nursery:
                nursery.start_soon(wait_closed, speech)
                await lib.wait_all_tasks_blocked()
                await speech.aclose()
            await speech.aclose()
            await mouth.play(Packets(numbered(5)))
            assert not speech.stats()

    lib.in_memory(use)


async def wait_closed(stream: Any) -> None:
    with pytest.raises(lib.ClosedResourceError):
        await stream.receive()


def test_a_user_filter_that_raises_ends_its_own_iterator_only() -> None:
    def wrong(user: int) -> bool:
        raise KeyError(user)

    async def use(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.connect(info(listening.url, EARS), network=network) as ears,
        ):
            broken, fine = ears.speech(users=wrong), ears.listen(MOUTH, until_silence=0.3)
            await mouth.play(Packets(numbered(5)))
            with pytest.raises(KeyError, match=str(MOUTH)):
                await broken.receive()
            assert len([piece async for piece in fine]) == 10
            assert ears.closed is None

    lib.in_memory(use)


def test_what_the_call_failed_with_is_raised_to_each_reader() -> None:
    failed = Closed(4004, ClosePolicy.FATAL, "no", AuthenticationFailed("bad token", 4004))

    async def main() -> None:
        stream = lib.streams.live(Utterances(), lambda stream: None)
        async with lib.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(wait_failed, stream)
            await lib.wait_all_tasks_blocked()
            stream.end(failed)
        await wait_failed(stream)

    async def wait_failed(stream: Any) -> None:
        with pytest.raises(AuthenticationFailed, match="bad token"):
            await stream.receive()

    lib.run(main)


def test_readers_share_and_cancelling_one_loses_nothing() -> None:
    async def main() -> None:
        stream = lib.streams.live(Ticker(now=lib.current_time()), lambda stream: None)
        taken: list[int] = []

        async def read(count: int) -> None:
            for _ in range(count):
                taken.append((await stream.receive()).number)

        async with lib.open_nursery() as nursery:
            nursery.start_soon(read, 20)
            nursery.start_soon(read, 20)
            with lib.move_on_after(0.11):
                await read(100)
        assert sorted(taken) == list(range(len(taken)))

    lib.run(main)
