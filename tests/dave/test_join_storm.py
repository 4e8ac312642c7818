"""What a storm of joins costs those who talk already: nothing, thanks to hold-and-retry.

Half of the members are on davey, which encrypts with the next key as soon as it has the
commit, not when all are ready: their frames overtake the commit to whom TCP is slow.
"""

import pytest

from tests.dave.storm import Storm
from voicekit import Config

BEARABLE = 0.01


def storm(members: int, key_hold_time: float) -> Storm:
    def config(number: int) -> Config:
        backend = "davey" if number % 2 else "dave.py"
        return Config(gateway_version=9, dave_backend=backend, key_hold_time=key_hold_time)

    storm = Storm(members, config, seconds=4.5)
    storm.run()
    return storm


def worst_loss(storm: Storm) -> float:
    """The largest share of frames that any established pair lost until the last transition."""
    hearing = storm.hearing
    until = min(hearing.last_switch(), storm.seconds)
    losses = [hearing.lost(*pair, until) for pair in hearing.pairs()]
    lost, due = (sum(column) for column in zip(*losses, strict=True))
    worst = max(lost / due for lost, due in losses if due >= 10)
    waited = sum(
        stream.awaited_key
        for member in storm.members
        for stream in member.connection.stats().streams.values()
    )
    print(f"{len(storm.members):3} members: {lost} of {due} frames lost, {lost / due:.2%},", end="")
    print(f" the worst pair {worst:.2%}; {waited} frames waited for a key")
    return worst


@pytest.mark.parametrize("members", [2, 5, 25])
def test_established_pairs_lose_nothing_to_speak_of(members: int) -> None:
    call = storm(members, key_hold_time=0.2)
    assert worst_loss(call) <= BEARABLE
    established = sum(
        call.hearing.established_at(*pair) is not None for pair in call.hearing.pairs()
    )
    assert established >= 0.99 * members * (members - 1)
    assert len({member.connection.privacy_code for member in call.members}) == 1
    assert call.hearing.doubles == 0
    assert call.hearing.in_order()
    for member in call.members:
        stats = member.connection.stats()
        assert stats.dave["recoveries"] == 0
        assert stats.violations == 0


def test_without_holding_frames_the_same_storm_is_heard() -> None:
    assert worst_loss(storm(25, key_hold_time=0.0)) > BEARABLE
