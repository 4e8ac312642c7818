"""The UDP side: discovery, keepalives, whose address it is, and audio from one to the others."""

import struct

import pytest

from tests.server.world import AES, OPUS, Peer, World
from voicekit._extensions import (
    audio_level_element,
    read_abs_send_time,
    read_audio_level,
    read_speaker_flags,
)
from voicekit._rtcp import build_compound, open_rtcp, parse_compound, seal_rtcp
from voicekit._rtp import PacketKind, demux
from voicekit.codes import SILENCE_FRAME
from voicekit.link import Link
from voicekit.rtcp import ReceiverReport, SenderReport


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pair(world: World) -> tuple[Peer, Peer]:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.datagrams.clear()
    listener.datagrams.clear()
    return talker, listener


# -- discovery and keepalives ------------------------------------------------------------


def request(ssrc: int, kind: int = 1, length: int = 70, size: int = 74) -> bytes:
    return struct.pack(">HHI", kind, length, ssrc).ljust(size, b"\0")[:size]


def test_discovery_tells_a_client_its_address(world: World) -> None:
    peer = world.peer()
    peer.connect()
    peer.identify()
    peer.discover()
    [reply] = peer.datagrams
    kind, length, ssrc, address, port = struct.unpack(">HHI64sH", reply)
    assert (kind, length, ssrc) == (2, 70, peer.ssrc)
    assert address.rstrip(b"\0").decode() == peer.address[0]
    assert port == peer.address[1]


def test_discovery_may_be_repeated(world: World) -> None:
    peer = world.ready()
    peer.discover()
    peer.discover()
    assert len(peer.datagrams) == 3


def test_nothing_else_is_answered_before_a_handshake(world: World) -> None:
    """No reflector: silence for strangers, and never more bytes than came."""
    peer = world.peer()
    peer.connect()
    peer.identify()
    ssrc = peer.ssrc
    for data in (
        request(ssrc ^ 1),
        request(ssrc, kind=2),
        request(ssrc, kind=3),
        request(ssrc, length=71),
        request(ssrc, size=73),
        request(ssrc, size=8),
        request(ssrc) + b"\0",
        b"",
        b"\x13\x37\xca\xfe\0\0\0\1",
        bytes(8),
        b"\x80\x78" + bytes(10) + bytes(20),
        b"\x80\xc8" + bytes(50),
        bytes(60_000),
    ):
        world.datagram(data)
    assert world.stray == []
    assert sum(world.server.server_stats().datagrams_dropped.values()) == 13


@pytest.mark.parametrize(
    "data", [bytes(8), b"\5\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\5", b"\xc9" + bytes(8), b"\x01"]
)
def test_keepalives_are_counted_and_not_answered(pair: tuple[Peer, Peer], data: bytes) -> None:
    peer, _ = pair
    peer.datagram(data)
    assert peer.datagrams == []
    assert peer.stats.keepalives == 1
    assert peer.stats.packets_bad == {}


def test_keepalives_are_sent_back_when_wanted() -> None:
    peer = World(echo_keepalives=True).ready()
    peer.datagrams.clear()
    peer.datagram(b"\7\0\0\0\0\0\0\0")
    assert peer.datagrams == [b"\7\0\0\0\0\0\0\0"]


def test_the_web_clients_ping_is_answered(pair: tuple[Peer, Peer]) -> None:
    peer, _ = pair
    peer.datagram(b"\x13\x37\xca\xfe\0\0\0\x2a")
    assert peer.datagrams == [b"\x13\x37\xf0\x0d\0\0\0\x2a"]


# -- where a client is --------------------------------------------------------------------


def test_an_address_that_discovery_did_not_see_is_not_believed(world: World) -> None:
    """Else anybody could have audio sent to anybody."""
    talker = world.ready(user_id=1)
    talker.speak()
    liar = world.peer(user_id=2)
    liar.connect()
    liar.identify()
    liar.select(address="192.0.2.200", port=7)
    talker.play()
    assert world.stray == []
    # The first authentic packet tells where it really is.
    liar.speak()
    liar.play()
    talker.play()
    assert len(liar.heard()) == 1


def test_discovery_without_the_address_in_op_1_is_not_enough(world: World) -> None:
    """A request tells an SSRC, which is no secret."""
    talker = world.ready(user_id=1)
    talker.speak()
    listener = world.ready(user_id=2)
    world.datagram(request(listener.ssrc))  # from somebody else
    talker.play()
    assert len(listener.heard()) == 1
    assert [len(d.data) for d in world.stray] == [74]


@pytest.mark.parametrize("text", ["192.0.2.1", "::ffff:192.0.2.1"])
def test_one_address_may_be_spelled_in_ways(world: World, text: str) -> None:
    peer = world.peer()
    peer.connect()
    peer.identify()
    peer.discover()
    peer.select(address=text)
    assert world.server._board.by_address[peer.address].user_id == 1


def test_a_client_may_move_to_another_address(pair: tuple[Peer, Peer], world: World) -> None:
    talker, listener = pair
    listener.speak()
    listener.play()
    world.by_address[("198.51.100.9", 9)] = listener
    listener.address = ("198.51.100.9", 9)
    listener.play()
    talker.heard()
    talker.play()
    assert len(listener.heard()) == 1
    assert listener.stats.packets_bad == {}
    assert world.stray == []


def test_a_replayed_packet_does_not_move_a_client(pair: tuple[Peer, Peer], world: World) -> None:
    talker, listener = pair
    listener.speak()
    packet = listener.seal()
    listener.datagram(packet)
    world.datagram(packet)
    talker.play()
    assert world.stray == []
    assert len(listener.heard()) == 1
    assert listener.stats.packets_bad == {"duplicate": 1}


def test_forged_packets_of_others_are_not_held_against_a_client(
    pair: tuple[Peer, Peer], world: World
) -> None:
    talker, _ = pair
    forged = talker.seal()[:-30] + bytes(30)
    world.datagram(forged)
    assert talker.stats.packets_bad == {}
    assert world.server.server_stats().datagrams_dropped == {"undecryptable": 1}


def test_a_socket_that_is_used_again_belongs_to_the_new_session(world: World) -> None:
    talker = world.ready(user_id=1)
    talker.speak()
    first = world.ready(user_id=2)
    address = first.address
    first.close(1000)
    again = world.peer(user_id=2)
    again.address = address
    world.by_address[address] = again
    again.connect()
    again.identify()
    again.discover()
    again.select()
    talker.play()
    assert len(again.heard()) == 1


def test_a_new_session_may_speak_from_the_socket_of_another_client(world: World) -> None:
    """Both behind one socket: whoever's key fits it is."""
    first, second = world.ready(user_id=1), world.ready(user_id=2)
    second.speak()
    second.datagram(second.seal(), first.address)
    assert second.stats.packets_valid == 1
    assert first.stats.packets_bad == {}


# -- forwarding ----------------------------------------------------------------------------


def test_ssrc_sequence_timestamp_and_marker_stay_the_senders(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.sequence, talker.timestamp = 0xFFFF, 2**32 - 960
    talker.play(3, marker=True, csrcs=(1, 2))
    talker.play(1, payload=SILENCE_FRAME)
    packets = listener.heard()
    assert [p.sequence for p in packets] == [0xFFFF, 0, 1, 2]
    assert [p.timestamp for p in packets] == [2**32 - 960, 0, 960, 1920]
    assert {p.ssrc for p in packets} == {talker.ssrc}
    assert [p.marker for p in packets] == [True, True, True, False]
    assert packets[0].csrcs == (1, 2)
    assert [p.payload for p in packets] == [OPUS] * 3 + [SILENCE_FRAME]
    assert talker.datagrams == []  # nobody hears himself


def test_each_listener_gets_it_under_its_own_key_and_nonces(world: World) -> None:
    talker = world.ready(user_id=1)
    aes = AES in world.server._board.modes
    listeners = [world.ready(user_id=2), world.ready(user_id=3, mode=AES if aes else talker.mode)]
    talker.speak()
    talker.play(3)
    assert len({data for peer in listeners for data in peer.datagrams if len(data) != 74}) == 6
    for peer in listeners:
        # Clients count below 2**31, and both directions share the key.
        assert [p.nonce for p in peer.heard()] == [2**31, 2**31 + 1, 2**31 + 2]
        assert peer.stats.packets_sent == 3


def test_audio_stays_in_its_room(world: World) -> None:
    talker = world.ready(user_id=1, channel_id=1, version=9)
    elsewhere = world.ready(user_id=2, channel_id=2, version=9)
    talker.speak()
    talker.play()
    assert elsewhere.heard() == []


def test_only_clients_with_a_key_get_audio(world: World) -> None:
    talker = world.ready(user_id=1)
    talker.speak()
    newcomer = world.peer(user_id=2)
    newcomer.connect()
    newcomer.identify()
    newcomer.discover()
    talker.play()
    assert len(newcomer.datagrams) == 1  # the discovery
    assert newcomer.stats.packets_sent == 0


def test_audio_only_for_those_who_have_sent_some() -> None:
    world = World(receive_after_send=True)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play()
    assert listener.heard() == []
    listener.speak()
    listener.play(1, payload=SILENCE_FRAME)
    talker.play()
    assert len(listener.heard()) == 1


def test_padding_is_stripped_and_not_passed_on(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.play(1, padding=17)
    [packet] = listener.heard()
    assert (packet.padding, packet.payload) == (0, OPUS)


@pytest.mark.parametrize("padding", [1, 4, 255])
def test_padding_is_added_when_wanted(padding: int) -> None:
    world = World(padding=padding)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play()
    [packet] = listener.heard()
    assert (packet.padding, packet.payload) == (padding, OPUS)


def test_header_extensions_are_added_when_wanted() -> None:
    world = World(extensions=("abs_send_time", "audio_level", "speaker_flags"))
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak(5)  # microphone and priority
    talker.play()
    talker.play(1, extensions=[audio_level_element(99, False)])
    first, second = listener.heard()
    assert [element for element, _ in first.extensions] == [3, 1, 9]
    assert read_abs_send_time(first.extensions) == pytest.approx(world.now % 64, abs=1e-4)
    assert read_audio_level(first.extensions) == (30, True)
    assert read_audio_level(second.extensions) == (99, False)  # the sender's own
    assert read_speaker_flags(first.extensions) == 0x03


def test_a_clients_extensions_are_not_passed_on_by_themselves(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.play(1, extensions=[audio_level_element(99)])
    assert listener.heard()[0].extensions == ()


def test_exhausted_nonces_lead_to_a_new_key(pair: tuple[Peer, Peer], world: World) -> None:
    talker, listener = pair
    from voicekit._crypto import NonceCounter, TransportCipher

    session = world.server._board.sessions[500, 2]
    assert session.key is not None
    old = listener.cipher
    key = bytes(32)
    session.key.cipher = TransportCipher(listener.mode, key, nonce_start=2**32 - 1)
    assert isinstance(session.key.cipher.counter, NonceCounter)
    listener.taken()
    talker.play(2)
    assert listener.ops() == [4]
    assert listener.cipher is not old
    talker.play()
    assert len(listener.datagrams) == 2


# -- RTCP ------------------------------------------------------------------------------------


def receiver_report(peer: Peer) -> bytes:
    assert peer.cipher is not None
    return seal_rtcp(peer.cipher, build_compound([ReceiverReport(peer.ssrc)]))


def rtcp_of(peer: Peer) -> list[object]:
    assert peer.cipher is not None
    datagrams, peer.datagrams = peer.datagrams, []
    return [
        packet
        for data in datagrams
        if demux(data) is PacketKind.RTCP
        for packet in parse_compound(open_rtcp(peer.cipher, data))
    ]


def test_rtcp_is_counted_and_not_forwarded(pair: tuple[Peer, Peer]) -> None:
    talker, listener = pair
    talker.datagram(receiver_report(talker))
    assert talker.stats.rtcp_valid == 1
    assert talker.stats.packets_valid == 0
    assert rtcp_of(listener) == []


def test_rtcp_is_forwarded_when_wanted() -> None:
    world = World(forward_rtcp=True)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.datagram(receiver_report(talker))
    assert rtcp_of(listener) == [ReceiverReport(talker.ssrc)]
    assert listener.stats.rtcp_sent == 1
    assert listener.stats.packets_sent == 0


def test_the_server_reports_when_wanted() -> None:
    world = World(rtcp=True, rtcp_interval=5.0)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play(10)
    del talker.datagrams[:], listener.datagrams[:]
    world.run(5.0)
    [report] = rtcp_of(talker)
    assert isinstance(report, ReceiverReport)
    assert report.reports[0].ssrc == talker.ssrc
    assert report.reports[0].lost == 0
    [report] = rtcp_of(listener)
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packets, report.octets) == (talker.ssrc, 10, 10 * len(OPUS))
    # The wall clock at that instant, and the media clock that goes with it.
    assert report.ntp >> 32 == int(1_700_000_000 + (world.now - 100.0) - 0.18) + 2_208_988_800
    elapsed = (report.rtp_time - (talker.timestamp - 960)) / 48000
    assert elapsed == pytest.approx(5.0 - 0.18, abs=0.01)


def test_nobody_is_reported_before_he_is_heard() -> None:
    world = World(rtcp=True, rtcp_interval=1.0)
    first, second = world.ready(user_id=1), world.ready(user_id=2)
    world.run(5.0)
    assert rtcp_of(first) == rtcp_of(second) == []


# -- a bad network ----------------------------------------------------------------------------


def test_what_the_network_loses_is_counted_exactly() -> None:
    world = World(loss=0.2, network_seed=3)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play(500)
    lost = listener.stats.dropped_to
    assert listener.stats.packets_sent == 500
    assert 60 < lost < 140
    assert len(listener.heard()) == 500 - lost
    assert talker.stats.dropped_to == 0


def test_a_seed_makes_the_network_repeatable_and_clients_differ() -> None:
    def received(seed: int) -> list[list[int]]:
        world = World(loss=0.3, network_seed=seed)
        talker = world.ready(user_id=1)
        listeners = [world.ready(user_id=2), world.ready(user_id=3)]
        talker.speak()
        talker.play(50)
        return [[p.sequence for p in peer.heard()] for peer in listeners]

    assert received(1) == received(1)
    assert received(1) != received(2)
    assert received(1)[0] != received(1)[1]


def test_jitter_delays_by_timers() -> None:
    world = World(delay=0.05, jitter=0.1)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play()
    assert listener.heard() == []
    world.run(0.04)
    assert listener.heard() == []
    world.run(0.12)
    assert len(listener.heard()) == 1
    assert world.server.next_timeout() == pytest.approx(100.0 + 3 * 13.75)  # but heartbeats


def test_duplicates_and_reordering_reach_the_client() -> None:
    world = World(duplicate=0.3, reorder=0.2)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play(100)
    world.run(1.0)
    sequences = [p.sequence for p in listener.heard()]
    assert len(sequences) > 100
    assert len(set(sequences)) == 100
    assert sequences != sorted(sequences)
    assert listener.stats.dropped_to == 0


def test_loss_hits_no_handshake() -> None:
    world = World(loss=1.0)
    peer = world.ready()
    assert len(peer.datagrams) == 1


def test_rtcp_may_be_lost_without_being_counted_as_audio() -> None:
    world = World(loss=1.0, forward_rtcp=True)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.datagram(receiver_report(talker))
    assert (listener.stats.rtcp_sent, listener.stats.dropped_to) == (1, 0)


def test_the_shell_may_report_what_it_could_not_send(pair: tuple[Peer, Peer], world: World) -> None:
    _, listener = pair
    world.server.datagram_dropped(listener.address)
    world.server.datagram_dropped(("203.0.113.1", 1))
    assert listener.stats.dropped_to == 1


def test_a_session_that_ends_leaves_nothing_on_its_way() -> None:
    world = World(delay=1.0)
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    talker.speak()
    talker.play()
    listener.close(1000)
    world.run(2.0)
    assert listener.heard() == []
    assert isinstance(world.server._board.sessions[500, 1].network, Link)
