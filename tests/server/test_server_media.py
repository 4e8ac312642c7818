"""Media that is not opened: counted, or counted and passed on as it is."""

import pytest

from tests.server.world import Peer, World
from voicekit.errors import LocalProtocolError
from voicekit.server import ServerConfig

Address = tuple[str, int]


class Route:
    def __init__(self, relay: "Relay", address: Address) -> None:
        self.relay, self.address = relay, address
        self.received = self.passed = 0
        self.targets: list[Address] = []

    def set_targets(self, addresses: list[Address]) -> None:
        self.targets = list(addresses)

    def close(self) -> None:
        del self.relay.routes[self.address]


class Relay:
    """What a shell would bring, as far as the core can tell."""

    def __init__(self) -> None:
        self.routes: dict[Address, Route] = {}

    def add(self, address: Address) -> Route:
        assert address not in self.routes
        route = self.routes[address] = Route(self, address)
        return route

    def targets(self) -> dict[Address, list[Address]]:
        return {address: route.targets for address, route in self.routes.items()}


def two(world: World) -> tuple[Peer, Peer]:
    talker, listener = world.ready(user_id=1), world.ready(user_id=2)
    for peer in talker, listener:
        peer.speak()
        peer.datagrams.clear()
    return talker, listener


def test_counted_media_goes_no_further() -> None:
    talker, listener = two(World(media="count"))
    talker.play(3)
    assert listener.datagrams == []
    assert (talker.stats.media_received, talker.stats.media_passed) == (3, 0)


def test_relayed_media_arrives_as_it_was_sent_and_opens() -> None:
    world = World(media="relay")
    talker, listener = two(world)
    sent = [talker.seal(b"\xfc one"), talker.seal(b"\xfc two")]
    for data in sent:
        talker.datagram(data)
    assert listener.datagrams == sent
    assert [packet.payload for packet in listener.heard()] == [b"\xfc one", b"\xfc two"]
    assert (talker.stats.media_received, talker.stats.media_passed) == (2, 2)


def test_rooms_do_not_hear_each_other_and_share_no_key() -> None:
    world = World(media="relay")
    here = world.ready(user_id=1, version=9, channel_id=1)
    there = world.ready(user_id=2, version=9, channel_id=2)
    there.datagrams.clear()
    here.play(2)
    assert there.datagrams == []
    assert world.server.stats()[0].media_received == 2
    keys = [peer.data_of(4)[0]["secret_key"] for peer in (here, there)]
    assert keys[0] != keys[1]


def test_nothing_is_judged() -> None:
    """A packet without a tag, a packet twice, none of Speaking: all the same to it."""
    talker, _ = two(World(media="count"))
    packet = talker.seal()
    for data in (packet, packet, b"\x80\x78" + bytes(30)):
        talker.datagram(data)
    assert talker.stats.media_received == 3
    assert talker.stats.packets_bad == {}


def test_discovery_keepalives_and_strangers_are_as_ever() -> None:
    world = World(media="relay")
    talker, listener = two(world)
    talker.discover()
    talker.datagram(b"\x13\x37\xca\xfe\0\0\0\1")
    assert len(talker.datagrams) == 2
    assert talker.stats.keepalives == 1
    world.datagram(b"\x80\x78" + bytes(30))
    assert listener.datagrams == []
    assert talker.stats.media_received == 0


def test_who_sends_from_a_new_address_is_followed_on_the_proof_of_its_key() -> None:
    world = World(media="relay")
    talker, listener = two(world)
    moved = ("192.0.2.9", 9)
    forged = bytearray(talker.seal())
    forged[-1] ^= 1
    world.datagram(bytes(forged), moved)
    assert listener.datagrams == []
    for data in (talker.seal(), b"\x80\x78" + bytes(30)):
        world.datagram(data, moved)
        assert listener.datagrams.pop() == data
    assert talker.stats.media_received == 2


def test_a_relay_is_told_who_hears_whom() -> None:
    world = World(media="relay")
    relay = Relay()
    world.server.set_relay(relay)
    one, other = two(world)
    assert relay.targets() == {one.address: [other.address], other.address: [one.address]}
    third = world.ready(user_id=3)
    assert sorted(relay.targets()[one.address]) == sorted([other.address, third.address])
    third.close()
    other.close()
    assert relay.targets() == {one.address: []}


def test_a_relay_that_only_counts_has_no_receivers() -> None:
    world = World(media="count")
    relay = Relay()
    world.server.set_relay(relay)
    one, other = two(world)
    assert relay.targets() == {one.address: [], other.address: []}


def test_an_address_of_another_session_becomes_the_newcomers() -> None:
    world = World(media="relay")
    relay = Relay()
    world.server.set_relay(relay)
    old, other = two(world)
    new = world.peer(user_id=3, server_id=501)
    new.address = old.address
    world.by_address[new.address] = new
    new.connect()
    new.identify()
    new.discover()
    new.select()
    assert relay.targets() == {other.address: [], new.address: []}


def test_what_a_relay_counted_is_kept_when_the_client_leaves() -> None:
    world = World(media="relay")
    relay = Relay()
    world.server.set_relay(relay)
    one, _ = two(world)
    relay.routes[one.address].received, relay.routes[one.address].passed = 7, 6
    assert (one.stats.media_received, one.stats.media_passed) == (7, 6)
    one.close()
    assert (one.stats.media_received, one.stats.media_passed) == (7, 6)
    assert one.stats.state == "ended"


def test_media_that_is_opened_takes_no_relay() -> None:
    world = World()
    assert not world.server.takes_relay
    with pytest.raises(LocalProtocolError):
        world.server.set_relay(Relay())


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="bad network"):
        ServerConfig(media="relay", loss=0.1)
    with pytest.raises(ValueError, match="media is"):
        ServerConfig(media="blind")  # type: ignore[arg-type]
