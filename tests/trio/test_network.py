"""Real sockets on loopback."""

import socket

import pytest
import trio

from voicekit.trio import Network
from voicekit.trio.network import UdpSocket


def test_datagrams_go_to_the_connected_peer_and_back() -> None:
    async def main() -> None:
        network = Network()
        server = await network.bind_datagrams("127.0.0.1", 0)
        client = await network.connect_datagrams("127.0.0.1", server.port)
        assert client.send(b"there")
        await server.wait_readable()
        received = server.receive()
        assert received == (b"there", ("127.0.0.1", client.port))
        assert server.receive() is None
        assert server.send_to(b"back", received[1])
        await client.wait_readable()
        assert client.receive() == (b"back", ("127.0.0.1", server.port))
        client.close()
        server.close()

    trio.run(main)


def test_a_connected_socket_hears_nobody_else() -> None:
    async def main() -> None:
        network = Network()
        server = await network.bind_datagrams("127.0.0.1", 0)
        stranger = await network.bind_datagrams("127.0.0.1", 0)
        client = await network.connect_datagrams("127.0.0.1", server.port)
        stranger.send_to(b"forged", ("127.0.0.1", client.port))
        server.send_to(b"true", ("127.0.0.1", client.port))
        await client.wait_readable()
        assert client.receive() == (b"true", ("127.0.0.1", server.port))
        assert client.receive() is None
        for sock in (client, server, stranger):
            sock.close()

    trio.run(main)


def test_a_closed_port_is_no_error_of_the_socket() -> None:
    # UDP to nobody: ICMP says so, on a later call. The socket is as good as before.
    async def main() -> None:
        network = Network()
        gone = await network.bind_datagrams("127.0.0.1", 0)
        port = gone.port
        client = await network.connect_datagrams("127.0.0.1", port)
        gone.close()
        for _ in range(3):
            client.send(b"anybody?")
            assert client.receive() is None
        back = await network.bind_datagrams("127.0.0.1", port)
        while not client.send(b"again"):
            pass
        with trio.fail_after(5):
            await back.wait_readable()
        client.close()
        back.close()

    trio.run(main)


def test_the_largest_datagram_comes_whole() -> None:
    async def main() -> None:
        network = Network()
        server = await network.bind_datagrams("127.0.0.1", 0)
        client = await network.connect_datagrams("127.0.0.1", server.port)
        largest = bytes(65_507)
        assert client.send(largest)
        assert not client.send(bytes(65_508))
        await server.wait_readable()
        received = server.receive()
        assert received is not None
        assert received[0] == largest
        client.close()
        server.close()

    trio.run(main)


def test_a_full_socket_buffer_is_a_lost_datagram_and_no_wait() -> None:
    sock = UdpSocket()
    sock.close()
    assert not sock.send(b"closed is as lost as full")


def test_one_port_is_listened_on_where_a_name_has_several_addresses() -> None:
    async def main() -> None:
        listeners = await Network().listen("localhost", 0)
        assert len({listener.socket.getsockname()[1] for listener in listeners}) == 1
        for listener in listeners:
            await listener.aclose()

    trio.run(main)


def test_a_port_in_use_is_an_os_error() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(OSError, match="in use"):
                await Network().listen("127.0.0.1", taken.getsockname()[1])
        with socket.socket(type=socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            with pytest.raises(OSError, match="in use"):
                await Network().bind_datagrams("127.0.0.1", taken.getsockname()[1])

    trio.run(main)
