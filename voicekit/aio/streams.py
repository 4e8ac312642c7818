"""The iterators of a call, whose readers are tasks of asyncio."""

from typing import TypeVar

from ..driver import live, streams
from ..driver.ears import Streams
from .loop import LOOP

__all__ = ["STREAMS", "EventStream", "FrameStream", "LiveStream"]

T = TypeVar("T")


class FrameStream(streams.FrameStream):
    """`voicekit.driver.streams.FrameStream`."""

    loop = LOOP


class EventStream(streams.EventStream):
    """`voicekit.driver.streams.EventStream`."""

    loop = LOOP


class LiveStream(live.LiveStream[T]):
    """`voicekit.driver.live.LiveStream`."""

    loop = LOOP


STREAMS = Streams(FrameStream, EventStream, LiveStream)
