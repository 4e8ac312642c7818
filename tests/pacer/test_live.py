"""A pacer with its thread: what does not depend on the speed of the machine."""

from voicekit.pacer import Finished, Pacer, StreamState

from .rig import eventually, live, voices


def test_frames_go_out_in_order_then_five_of_silence(pacer: Pacer) -> None:
    with live(pacer) as rig:
        assert rig.stream.push_many(voices(4)) == 4
        rig.stream.finish()
        packets = [rig.listener.packet() for _ in range(9)]
        assert [packet.number for packet in packets] == [0, 1, 2, 3] + [None] * 5
        assert [packet.sequence for packet in packets] == [(65_530 + n) % 2**16 for n in range(9)]
        eventually(lambda: rig.stream.state is StreamState.IDLE)
        assert rig.stream.poll() == Finished(4)
        assert rig.stream.poll() is None
