"""The iterators of a call, as trio's channels."""

from typing import TypeVar

import trio

from ..driver import live, streams
from ..driver.ears import Streams
from ..events import AudioFrame, Event
from .loop import LOOP

__all__ = ["STREAMS", "EventStream", "FrameStream", "LiveStream"]

T = TypeVar("T")


class FrameStream(streams.FrameStream, trio.abc.ReceiveChannel[AudioFrame]):
    """`voicekit.driver.streams.FrameStream`."""

    loop = LOOP


class EventStream(streams.EventStream, trio.abc.ReceiveChannel[Event]):
    """`voicekit.driver.streams.EventStream`."""

    loop = LOOP


class LiveStream(live.LiveStream[T], trio.abc.ReceiveChannel[T]):
    """`voicekit.driver.live.LiveStream`."""

    loop = LOOP


STREAMS = Streams(FrameStream, EventStream, LiveStream)
