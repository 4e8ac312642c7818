"""Every message as it came, for who asks: but never the key."""

import json

from voicekit.codes import Opcode
from voicekit.events import MessageReceived, UnknownMessage
from voicekit.gateway_states import GatewayState

from .driver import KEY, reach


def test_messages_are_reported_where_that_is_asked_for() -> None:
    driver = reach(GatewayState.OPEN, report_messages=True)
    driver.receive(99, {"new": True})
    events = driver.events(MessageReceived)
    assert [event.op for event in events] == [Opcode.HELLO, Opcode.READY, 99]
    assert json.loads(events[-1].raw) == {"new": True}
    assert events[-1].data is None
    assert events[1].data.ssrc == json.loads(events[1].raw)["ssrc"]
    assert json.dumps(KEY) not in str([event.raw for event in events])


def test_they_are_not_reported_otherwise() -> None:
    driver = reach(GatewayState.OPEN)
    driver.receive(99, {"new": True})
    assert driver.events(MessageReceived) == []
    assert len(driver.events(UnknownMessage)) == 1
