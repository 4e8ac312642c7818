"""users.md 17: the first words of an utterance are cut.

sutando#1095 (20 to 100 ms each time), hermes-agent PR#75078, openclaw PR#91877: a stream that
exists from the moment that somebody is known to speak has missed how they began. Here it exists
before, and packets that come before the message that names their user wait for it.
"""

import pytest

from tests.session.peers import ALICE, ALICES, Server, drain, frames, ready_session, voice
from voicekit.media.receiving import (
    Speech,
    SpeechBegan,
    SpeechEnded,
    SpeechEvent,
    Ticker,
    Utterances,
)


@pytest.mark.parametrize("named_after", [0, 1, 4, 9])
def test_an_utterance_has_its_first_packet_however_late_its_user_is_named(
    named_after: int,
) -> None:
    server, session, engine = Server(), ready_session(), Utterances()
    ticker = Ticker(now=0.0)
    for number in range(30):
        now = number * 0.02
        if number == named_after:
            session.speaking(ALICES, ALICE, 1, now)
        received = session.receive(server.packet(ALICES, number, voice(number)), now)
        held = frames(drain(session))
        for frame in held + ([received] if received else []):
            engine.receive_frame(frame)
            ticker.receive_frame(frame)
    engine.handle_timeout(5.0)
    ticker.handle_timeout(0.7)
    events: list[SpeechEvent] = []
    while (event := engine.poll()) is not None:
        events.append(event)
    assert isinstance(events[0], SpeechBegan)
    assert isinstance(events[-1], SpeechEnded)
    spoken = [event.item for event in events if isinstance(event, Speech)]
    in_ticks = []
    while (tick := ticker.poll()) is not None:
        in_ticks += tick.speaking.get(ALICE, ())
    assert spoken == in_ticks
    assert [getattr(item, "opus", item) for item in spoken] == [voice(n) for n in range(30)]
