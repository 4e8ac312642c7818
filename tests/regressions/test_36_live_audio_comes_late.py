"""Live audio comes seconds late, since something on the way reads ahead or keeps a queue.

discord.js#10302 (3 s), #4722. Item 36 of the list of what users suffer from. Here Opus goes in and
Opus comes out; what is pushed now is sent with the next frame, and no queue is there that its owner
does not see.
"""

import numpy as np
import trio

from tests.trio.calls import EARS, MOUTH, in_memory, info
from tests.trio.memory_network import MemoryNetwork
from voicekit.codes import SILENCE_FRAME
from voicekit.events import AudioFrame
from voicekit.media import PushSource
from voicekit.testing import Pair, opus_frame
from voicekit.trio import Listening, connect

TONE = np.repeat((9000 * np.sin(np.arange(9600) * 0.1)).astype(np.int16)[:, None], 2, 1).tobytes()
#: What the frames of a tone have more bytes than, and encoded silence less.
LOUD = 40


def test_discord_js_10302_a_frame_is_heard_when_it_was_sent() -> None:
    """Through both cores, without a clock in between: no time at all."""
    pair = Pair(clients=2)
    pair.connect()
    mouth, ears = pair.clients
    for n in range(1000):
        sent = pair.now
        pair.play(mouth, [opus_frame(n)])
        pair.drive(0.001)
        assert [frame.opus for frame in ears.frames] == [opus_frame(n)]
        assert ears.frames[0].arrived - sent < 0.001
        ears.frames.clear()
        pair.drive(0.019)


def test_discord_js_4722_what_is_pushed_while_a_call_plays_leaves_within_the_ring() -> None:
    """0.1 s is ready in the pacer (`ring`); more than that and a frame is never in between."""
    delays: list[float] = []

    async def use(listening: Listening, network: MemoryNetwork) -> None:
        source = PushSource(lead_in=0.0)
        async with (
            connect(info(listening.url, MOUTH), network=network) as mouth,
            connect(info(listening.url, EARS), network=network) as ears,
            trio.open_nursery() as nursery,
        ):
            frames = ears.frames()
            nursery.start_soon(mouth.play, source)
            for n in range(5):
                await trio.sleep(20.0 + 0.007 * n)  # a queue that grows would have grown
                frames.take()
                pushed = trio.current_time()
                source.push(TONE)
                frame = await loud(frames)
                delays.append(frame.arrived - pushed)
            source.end()

    in_memory(use)
    assert max(delays) <= 0.1 + 0.02 + 0.001


async def loud(frames: trio.abc.ReceiveChannel[AudioFrame]) -> AudioFrame:
    while True:
        frame = await frames.receive()
        if len(frame.opus) > LOUD and frame.opus != SILENCE_FRAME:
            return frame
