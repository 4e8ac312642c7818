"""Another session: frozen while key, SSRC and socket are swapped, then on at the same frame."""

import pytest

from voicekit import LocalProtocolError
from voicekit.pacer import Finished, KeyExhausted, Pacer, StreamState

from .rig import FRAME, KEY, MODE, MS, Listener, live, told, voice, voices

OTHER_KEY = bytes(range(32, 64))


def test_key_ssrc_and_socket_are_swapped_and_no_frame_is_lost(native: bool) -> None:
    with told(native) as rig:
        other = Listener(OTHER_KEY)
        sock = other.connected()
        rig.stream.push_many(voices(5))
        assert rig.numbers(30 * MS) == [0, 1]
        rig.session.reset(777)
        assert rig.stream.state is StreamState.FROZEN
        assert rig.run(1000 * MS) == []
        assert other.packets() == []
        assert rig.stream.queued == 3
        rig.session.set_key(MODE, OTHER_KEY, nonce_start=5)
        assert rig.run(100 * MS) == []  # a key alone is not enough: the socket is another
        rig.stream.rebind(sock)
        rig.run(3 * FRAME)
        packets = other.packets()
        assert [packet.number for packet in packets][:3] == [2, 3, 4]
        assert {packet.ssrc for packet in packets} == {777}
        assert [packet.nonce for packet in packets] == [5 + n for n in range(len(packets))]
        assert rig.listener.packets() == []
        sock.close()
        other.close()


def test_a_new_key_on_the_same_socket(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        first = [packet for _, packet in rig.run(30 * MS)]
        rig.session.set_key(MODE, OTHER_KEY, nonce_start=5)
        assert rig.run(100 * MS) == []
        rig.listener.use_key(OTHER_KEY)
        rig.stream.rebind()
        second = [packet for _, packet in rig.run(3 * FRAME)]
        assert [packet.number for packet in second][:3] == [2, 3, 4]
        assert second[0].sequence == (first[-1].sequence + 1) % 2**16


def test_the_same_key_again_goes_on_with_unused_nonces(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        nonces = [packet.nonce for _, packet in rig.run(30 * MS)]
        rig.session.set_key(MODE, KEY)
        rig.stream.rebind()
        nonces += [packet.nonce for _, packet in rig.run(400 * MS)]
        assert nonces == list(range(100, 110))


def test_frames_are_taken_while_it_is_frozen(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push(voice(0))
        rig.run(5 * MS)
        rig.session.close()
        assert rig.stream.push_many(voices(9, 1)) == 5
        rig.session.set_key(MODE, KEY)
        rig.stream.rebind()
        assert rig.numbers(5 * FRAME) == [1, 2, 3, 4, 5]


def test_a_pause_outlasts_a_reconnect(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        rig.run(5 * MS)
        rig.stream.pause()
        rig.session.set_key(MODE, KEY)
        rig.stream.rebind()
        assert rig.run(500 * MS) == []
        rig.stream.resume()
        assert rig.numbers(4 * FRAME - 5 * MS) == [1, 2, 3, 4]


def test_an_end_that_is_cut_short_is_told_of(native: bool) -> None:
    """The new session never heard us: there is nothing to end in silence."""
    with told(native) as rig:
        rig.stream.push(voice(0))
        rig.stream.finish()
        assert rig.numbers(50 * MS) == [0, None, None]
        rig.session.close()
        assert rig.stream.poll() == Finished(1)
        rig.session.set_key(MODE, KEY)
        rig.stream.rebind()
        assert rig.run(500 * MS) == []


def test_rebind_without_a_key_is_refused(native: bool) -> None:
    with told(native) as rig:
        rig.session.close()
        with pytest.raises(LocalProtocolError, match="no key"):
            rig.stream.rebind()
        assert rig.stream.state is StreamState.FROZEN


def test_a_key_that_is_used_up_freezes_the_stream(native: bool) -> None:
    with told(native) as rig:
        rig.session.set_key(MODE, OTHER_KEY, nonce_start=2**31 - 2)
        rig.listener.use_key(OTHER_KEY)
        rig.stream.rebind()
        rig.stream.push_many(voices(5))
        assert rig.numbers(1000 * MS) == [0, 1]
        assert rig.stream.poll() == KeyExhausted(2)
        assert rig.stream.state is StreamState.FROZEN
        rig.session.set_key(MODE, KEY)
        rig.listener.use_key(KEY)
        rig.stream.rebind()
        assert rig.numbers(3 * FRAME) == [2, 3, 4]


def test_sessions_change_under_a_pacer_that_runs(pacer: Pacer) -> None:
    """Whatever the moment: each packet opens with the key of its listener, none is lost."""
    with live(pacer, depth=1.0) as rig:
        rig.stream.push_many(voices(50))
        rig.stream.finish()
        heard = []
        listeners = [rig.listener]
        socks = []
        for turn in range(8):
            heard.append(listeners[-1].packet())
            key = bytes([turn]) * 32
            rig.session.reset(turn + 1)
            rig.session.set_key(MODE, key)
            listeners.append(Listener(key))
            socks.append(listeners[-1].connected())
            rig.stream.rebind(socks[-1])
        while len(heard) < 55 and heard[-1].number is not None:
            heard.append(listeners[-1].packet())
        for listener in listeners:
            heard += listener.packets()
        numbers = [packet.number for packet in heard if packet.number is not None]
        assert sorted(numbers) == list(range(50))
        for resource in [*socks, *listeners[1:]]:
            resource.close()
