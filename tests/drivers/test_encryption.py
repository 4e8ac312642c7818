"""End-to-end encryption of whole calls: when `play` begins, and what it sends."""

from functools import partial

import pytest

from voicekit.config import Config
from voicekit.dave import generate_identity
from voicekit.driver.call import GROUP_TIMEOUT
from voicekit.server import ServerConfig

from ..trio.calls import CHANNEL, EARS, SILENCE, Packets, account, collect, info, numbered
from .libraries import lib

LATE = 1003
DAVE = ServerConfig(default_channel_id=CHANNEL, dave="required")


def test_a_newcomer_who_plays_at_once_is_heard_from_the_first_frame():
    heard: list[bytes] = []

    async def use(listening, network):
        def call(user_id, **config):
            where = info(listening.url, user_id)
            return lib.connect(where, config=Config(**config), network=network)

        async with call(EARS, receive_only=True) as ears, call(1001, receive_only=True) as other:
            await ears.wait_encrypted()
            await other.wait_encrypted()
            await lib.sleep(60)  # long after the others last took frames in clear
            async with lib.open_nursery() as nursery:
                nursery.start_soon(collect, ears.frames(), heard)
                async with call(LATE) as late:
                    await late.play(Packets(numbered(50)))
                    await lib.sleep(0.5)
                    assert late.stats().frames_sent_clear == 0
                nursery.cancel_scope.cancel()
        assert account(listening, LATE).frames_clear == 0

    lib.in_memory(use, DAVE)
    assert heard == numbered(50) + SILENCE


def test_playing_begins_at_once_when_nobody_else_is_there():
    async def use(listening, network):
        async with lib.connect(info(listening.url), network=network) as voice:
            start = lib.current_time()
            assert not voice.connection.awaits_group
            await voice.play(Packets(numbered(50)))
            assert lib.current_time() - start < 1.2

    lib.in_memory(use, DAVE)


@pytest.mark.parametrize(("others_stay", "wait"), [(60.0, GROUP_TIMEOUT), (2.0, 2.0)])
def test_playing_waits_a_limited_time_for_a_group_that_never_comes(others_stay, wait):
    async def stay(listening, network, *, task_status):
        async with lib.connect(info(listening.url, EARS), network=network):
            task_status.started()
            await lib.sleep(others_stay)

    async def use(listening, network):
        async with lib.open_nursery() as nursery:
            await nursery.start(partial(stay, listening, network))
            async with lib.connect(info(listening.url), network=network) as voice:
                voice.connection._dave.receive_json = lambda *_: None  # every op 22 is lost
                start = lib.current_time()
                assert voice.connection.awaits_group
                await voice.play(Packets(numbered(50)))
                assert lib.current_time() - start == pytest.approx(wait + 1.1, abs=0.2)
                assert voice.frames_played == 50
            nursery.cancel_scope.cancel()

    lib.in_memory(use, DAVE)


def test_a_persistent_identity_gives_the_same_verification_code_in_every_call():
    codes: list[str | None] = []

    async def use(listening, network):
        ours, theirs = generate_identity(), generate_identity()

        async def code(identity):
            there = info(listening.url, EARS)
            here = info(listening.url, 1001)
            async with (
                lib.connect(there, dave_identity=theirs, network=network) as ears,
                lib.connect(here, dave_identity=identity, network=network) as voice,
            ):
                await ears.wait_encrypted()
                await voice.wait_encrypted()
                codes.append(voice.connection.verification_code(EARS))
                assert ears.connection.verification_code(1001) == codes[-1]

        await code(ours)
        await code(ours)
        await code(None)

    lib.in_memory(use, DAVE)
    first, again, other = codes
    assert first is not None
    assert len(first) == 45
    assert first == again != other
