"""Every reason for which a client's packet is bad, and what is not bad at all."""

import pytest

from tests.server.world import OPUS, Peer, World
from voicekit._crypto import TransportCipher
from voicekit._rtcp import build_compound, seal_rtcp
from voicekit._rtp import build_header, seal_packet
from voicekit.codes import SILENCE_FRAME
from voicekit.rtcp import ReceiverReport
from voicekit.server import BadReason
from voicekit.server.judge import REORDER_WINDOW


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pair(world: World) -> tuple[Peer, Peer]:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    return talker, listener


def reseal(peer: Peer, nonce: int, **header: int) -> bytes:
    """Seal a packet under a nonce of choice."""
    assert peer.cipher is not None
    data = [m["d"] for m in peer.messages if m["op"] == 4][-1]
    cipher = TransportCipher(data["mode"], bytes(data["secret_key"]), nonce_start=nonce)
    fields = {"sequence": peer.sequence, "timestamp": peer.timestamp, "ssrc": peer.ssrc}
    return seal_packet(cipher, payload=OPUS, **(fields | header))


def seal_body(peer: Peer, body: bytes, **header: object) -> bytes:
    """Seal what `seal_packet` refuses to build."""
    assert peer.cipher is not None
    clear = build_header(
        sequence=peer.sequence,
        timestamp=peer.timestamp,
        ssrc=peer.ssrc,
        **header,  # type: ignore[arg-type]
    )
    return peer.cipher.seal(clear, body)


def test_a_well_behaved_client_is_valid(pair: tuple[Peer, Peer], world: World) -> None:
    talker, listener = pair
    talker.play(50)
    talker.play(5, payload=SILENCE_FRAME)
    talker.speak(0)
    world.run(10.0)
    talker.timestamp += 500 * 960  # the media clock goes on over the pause
    talker.speak()
    talker.play(50)
    assert talker.stats.packets_valid == 105
    assert talker.stats.packets_bad == {}
    assert len(listener.heard()) == 105


# -- what can not be read ------------------------------------------------------------------

#: reason: a datagram that deserves it.
UNREADABLE = {
    BadReason.TOO_SHORT: lambda peer: peer.seal()[:20],
    BadReason.TOO_LONG: lambda peer: peer.seal(bytes([0xFC]) + bytes(4000)),
    BadReason.BAD_VERSION: lambda peer: b"\x40" + peer.seal()[1:],
    BadReason.PAYLOAD_TYPE: lambda peer: peer.seal(payload_type=101),
    BadReason.BAD_HEADER: lambda peer: b"\x8f" + peer.seal(b"\xfc")[1:33],
    BadReason.UNDECRYPTABLE: lambda peer: peer.seal()[:-1] + b"\xff",
    BadReason.BAD_EXTENSION: lambda peer: seal_body(
        peer, OPUS, extension_profile=0xBEDE, extension_words=1000
    ),
    BadReason.BAD_PADDING: lambda peer: seal_body(peer, OPUS + b"\0", padding=True),
    BadReason.EMPTY: lambda peer: seal_body(peer, b"\0\0\3", padding=True),
    BadReason.BAD_FRAME: lambda peer: peer.seal(b"\xff"),
    BadReason.BAD_RTCP: lambda peer: seal_rtcp(
        peer.cipher, b"\x80\xc9\x00\xff" + peer.ssrc.to_bytes(4, "big")
    ),
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_what_can_not_be_read(pair: tuple[Peer, Peer], reason: BadReason) -> None:
    talker, listener = pair
    talker.datagram(UNREADABLE[reason](talker))
    assert talker.stats.packets_bad == {reason: 1}
    assert listener.heard() == []
    talker.play(3)
    assert talker.stats.packets_valid == 3


def test_audio_before_op_4_has_no_key(world: World) -> None:
    peer = world.ready()
    packet = peer.seal()
    newcomer = world.peer(user_id=2)
    newcomer.connect()
    newcomer.identify()
    newcomer.datagram(packet[:8] + newcomer.ssrc.to_bytes(4, "big") + packet[12:])
    assert newcomer.stats.packets_bad == {BadReason.NO_KEY: 1}


def test_too_many_datagrams(world: World) -> None:
    world = World(datagram_rate=100.0, datagram_burst=10.0)
    talker = world.ready()
    talker.speak()
    for _ in range(15):
        talker.datagram(talker.seal())
    assert talker.stats.packets_bad == {BadReason.RATE_LIMITED: 5}
    world.run(0.2)
    talker.timestamp = talker.timestamp
    talker.play(5)
    assert talker.stats.packets_valid == 15
    assert talker.stats.packets_missing == 5


# -- whose it is ------------------------------------------------------------------------------


def test_another_ssrc_is_wrong(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.play(1, ssrc=talker.ssrc ^ 1)
    talker.play(1, ssrc=listener.ssrc)
    assert talker.stats.packets_bad == {BadReason.WRONG_SSRC: 2}
    assert listener.stats.packets_bad == {}
    assert listener.heard() == []


def test_rtcp_of_another_ssrc_is_wrong(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    assert talker.cipher is not None
    talker.datagram(seal_rtcp(talker.cipher, build_compound([ReceiverReport(talker.ssrc ^ 1)])))
    assert talker.stats.packets_bad == {BadReason.WRONG_SSRC: 1}
    assert talker.stats.rtcp_valid == 0


# -- nonces -----------------------------------------------------------------------------------


def test_the_same_datagram_again_is_a_duplicate(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    packet = talker.seal()
    for _ in range(3):
        talker.datagram(packet)
    assert talker.stats.packets_bad == {BadReason.DUPLICATE: 2}
    assert talker.stats.packets_valid == 1
    assert len(listener.heard()) == 1


def test_another_datagram_under_a_used_nonce_is_reuse(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.datagram(reseal(talker, 7))
    talker.datagram(reseal(talker, 7, sequence=talker.sequence + 1, timestamp=5960))
    assert talker.stats.packets_bad == {BadReason.NONCE_REUSE: 1}
    assert len(listener.heard()) == 1


def test_rtp_and_rtcp_share_their_nonces(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    data = talker.data_of(4)[-1]
    cipher = TransportCipher(data["mode"], bytes(data["secret_key"]), nonce_start=7)
    talker.datagram(reseal(talker, 7))
    talker.datagram(seal_rtcp(cipher, build_compound([ReceiverReport(talker.ssrc)])))
    assert talker.stats.packets_bad == {BadReason.NONCE_REUSE: 1}


def test_a_new_key_may_begin_its_nonces_anew(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    talker.play(5)
    talker.select()
    talker.play(5)
    assert talker.stats.packets_bad == {}


def test_a_reuse_long_after_is_still_found(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    old = talker.seal()
    talker.datagram(old)
    talker.play(1000)
    talker.datagram(old)
    assert talker.stats.packets_bad == {BadReason.NONCE_REUSE: 1}


# -- sequence ---------------------------------------------------------------------------------


def test_packets_lost_on_the_way_are_no_jump(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    talker.play(5)
    for _ in range(40):
        talker.seal()  # never arrives
    talker.play(5)
    assert talker.stats.packets_bad == {}
    assert talker.stats.packets_missing == 40


def test_numbers_that_no_packet_explains_are_a_jump(pair: tuple[Peer, Peer]) -> None:
    """The nonces say that nothing was sent in between."""
    talker, listener = pair
    talker.play(5)
    talker.sequence += 1
    talker.play(5)
    assert talker.stats.packets_bad == {BadReason.SEQUENCE_JUMP: 1}
    assert talker.stats.packets_valid == 9
    assert len(listener.heard()) == 10  # it is heard all the same


@pytest.mark.parametrize("step", [-1000, -20_000, 20_000, 3_500])
def test_a_far_jump(pair: tuple[Peer, Peer], step: int) -> None:
    talker, _ = pair
    talker.sequence = 30_000
    talker.play(5)
    talker.sequence += step
    talker.play(5)
    assert talker.stats.packets_bad == {BadReason.SEQUENCE_JUMP: 1}
    assert talker.stats.packets_missing == 0


def test_the_sequence_wraps(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    talker.sequence = 0xFFF0
    talker.play(40)
    assert talker.stats.packets_bad == {}
    assert talker.stats.packets_valid == 40


def test_packets_may_come_late(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    packets = [talker.seal() for _ in range(6)]
    for number in (0, 3, 1, 5, 2, 4):
        talker.datagram(packets[number])
    assert talker.stats.packets_bad == {}
    assert talker.stats.packets_valid == 6
    assert talker.stats.packets_reordered == 3
    assert talker.stats.packets_missing == 0
    assert len(listener.heard()) == 6


def test_a_number_used_twice_is_reuse(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.play(10)
    talker.play(1, sequence=talker.sequence - 4)
    talker.play(1, sequence=talker.sequence - 2)
    assert talker.stats.packets_bad == {BadReason.SEQUENCE_REUSE: 2}
    assert len(listener.heard()) == 10


def test_the_window_of_late_packets_is_bounded(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    late, too_late = talker.seal(sequence=101), talker.seal(sequence=100)
    talker.sequence, talker.timestamp = 102, 5000
    talker.play(REORDER_WINDOW - 1)
    talker.datagram(late)
    assert talker.stats.packets_bad == {}
    talker.datagram(too_late)
    assert talker.stats.packets_bad == {BadReason.SEQUENCE_JUMP: 1}


# -- timestamp --------------------------------------------------------------------------------

#: (frame in samples, seconds that pass, samples that the timestamp is ahead of the last one)
RIGHT_CLOCKS = [
    (960, 0.02, 960),
    (960, 0.0, 960),  # a burst after a stall
    (960, 10.0, 960),  # clients that do not follow the clock over pauses
    (960, 10.0, 480_000),
    (960, 10.0, 480_960),
    (960, 0.2, 9600),
    (120, 0.0025, 120),
    (120, 1.0, 48_000),
    (2880, 0.06, 2880),
    (2880, 1.0, 2880 + 960),  # whole frames of 20 ms
    (5760, 0.12, 5760),
]
WRONG_CLOCKS = [
    (960, 0.02, 0),
    (960, 0.02, 480),
    (960, 0.02, 961),
    (960, 0.02, -960),
    (960, 10.0, 479_999),
    (960, 0.02, 96_000),  # two seconds in no time
    (960, 1.0, 480_000),
    (2880, 0.06, 960),  # counts packets, not samples
    (960, 0.02, 2**31),
]
#: The table of contents byte of an Opus packet of one or more frames.
TOC = {
    120: b"\xe4\0",
    960: b"\xfc\0",
    2880: b"\xff\x03\0\0\0",
    5760: b"\xff\x06\0\0\0\0\0\0",
}


@pytest.mark.parametrize(("frame", "seconds", "ahead"), RIGHT_CLOCKS)
def test_a_media_clock_that_is_right(
    pair: tuple[Peer, Peer], world: World, frame: int, seconds: float, ahead: int
) -> None:
    assert judged_clock(pair[0], world, frame, seconds, ahead) == {}


@pytest.mark.parametrize(("frame", "seconds", "ahead"), WRONG_CLOCKS)
def test_a_media_clock_that_jumps(
    pair: tuple[Peer, Peer], world: World, frame: int, seconds: float, ahead: int
) -> None:
    bad = judged_clock(pair[0], world, frame, seconds, ahead)
    assert bad == {BadReason.TIMESTAMP_JUMP: 1}
    assert len(pair[1].heard()) == 3  # it is heard all the same, and forgiven


def judged_clock(
    talker: Peer, world: World, frame: int, seconds: float, ahead: int
) -> dict[str, int]:
    payload = TOC[frame]
    talker.timestamp = 2**32 - 960  # and it wraps
    for step in (0, ahead, frame):
        talker.timestamp = (talker.timestamp + step) & 0xFFFF_FFFF
        talker.datagram(talker.seal(payload, timestamp=talker.timestamp))
        talker.timestamp -= 960  # as `seal` has moved it
        world.run(seconds)
    return talker.stats.packets_bad


def test_the_clock_of_lost_packets_is_not_known(pair: tuple[Peer, Peer]) -> None:
    talker, _ = pair
    talker.play()
    for _ in range(3):
        talker.seal()
    talker.timestamp += 3 * 1920  # they may have been of 60 ms
    talker.play()
    assert talker.stats.packets_bad == {}


def test_frames_under_dave_have_no_duration_to_check(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    frame = bytes(40) + b"\xfa\xfa"
    talker.play(5, payload=frame)
    talker.play(1, payload=SILENCE_FRAME)
    talker.play(1, payload=frame)
    assert talker.stats.packets_bad == {}
    assert len(listener.heard()) == 7


# -- speaking ---------------------------------------------------------------------------------


def test_audio_without_speaking_is_early(world: World) -> None:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.play(5)
    assert talker.stats.packets_bad == {}  # not yet
    world.run(0.3)
    assert talker.stats.packets_bad == {BadReason.AUDIO_BEFORE_SPEAKING: 5}
    assert listener.heard() == []
    talker.speak()
    talker.play(5)
    assert talker.stats.packets_valid == 5


def test_audio_may_overtake_its_op_5(world: World) -> None:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.play(3)
    world.run(0.05)
    listener.taken()
    talker.speak()
    assert listener.ops() == [5]
    assert [p.sequence for p in listener.heard()] == [100, 101, 102]
    world.run(1.0)
    assert talker.stats.packets_valid == 3
    assert talker.stats.packets_bad == {}


def test_speaking_0_at_the_start_is_no_speaking(world: World) -> None:
    talker = world.ready()
    talker.speak(0)
    talker.play(2)
    world.run(0.3)
    assert talker.stats.packets_bad == {BadReason.AUDIO_BEFORE_SPEAKING: 2}


def test_the_last_frames_may_come_after_speaking_0(pair: tuple[Peer, Peer], world: World) -> None:
    talker, listener = pair
    talker.play(5)
    talker.speak(0)
    talker.play(5, payload=SILENCE_FRAME)
    assert len(listener.heard()) == 10
    world.run(0.3)
    talker.play(1)
    world.run(0.3)
    assert talker.stats.packets_bad == {BadReason.AUDIO_BEFORE_SPEAKING: 1}


def test_only_so_much_is_held(world: World) -> None:
    talker = world.ready()
    for _ in range(40):
        talker.datagram(talker.seal())
    assert talker.stats.packets_bad == {BadReason.AUDIO_BEFORE_SPEAKING: 8}
    talker.speak()
    assert talker.stats.packets_valid == 32


def test_what_is_held_at_the_end_is_early(world: World) -> None:
    talker = world.ready()
    talker.play(2)
    talker.close(1000)
    assert talker.stats.packets_bad == {BadReason.AUDIO_BEFORE_SPEAKING: 2}


def test_each_packet_has_its_own_grace(world: World) -> None:
    talker = world.ready()
    talker.play(1)
    world.run(0.15)
    talker.timestamp += 960 * 6
    talker.play(1)
    world.run(0.1)
    talker.speak()
    assert talker.stats.packets_bad == {BadReason.AUDIO_BEFORE_SPEAKING: 1}
    assert talker.stats.packets_valid == 1


def test_every_packet_is_valid_or_bad_for_one_reason(world: World) -> None:
    """The account adds up, whatever came."""
    talker = world.ready()
    talker.speak()
    sent = 0
    for number in range(200):
        packet = talker.seal(ssrc=talker.ssrc ^ (number % 7 == 0))
        if number % 5 == 0:
            talker.sequence += 3
        if number % 11 == 0:
            talker.timestamp += 17
        for _ in range(1 + (number % 13 == 0)):
            talker.datagram(packet)
            sent += 1
    stats = talker.stats
    assert stats.packets_valid + sum(stats.packets_bad.values()) == sent
    assert len(stats.packets_bad) >= 4
