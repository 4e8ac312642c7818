"""Garbage for a voice server, on both of its sockets, at a bounded rate and for a bounded time.

``python -m tests.soak.garbage`` is a process of its own, so that making garbage holds up
nobody's audio, and uses the standard library only. It knows what a nosy neighbour on the
same machine may know: the ports, who is in the call under which SSRC, and the token that
admits users of its own, but not the token of a user of the call. It prints one line of JSON
in the end: what it sent.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from random import Random

from tests.independent import rfc6455

HOST = "127.0.0.1"
#: As many connections at once; more are not opened before some have ended.
MAX_CONNECTIONS = 150
#: No connection lasts longer, in seconds.
LONGEST = 3.0
#: Datagrams that may go out at once, after this process was held up.
MAX_BURST = 40


class Target(argparse.Namespace):
    """The command line."""

    tcp: int
    udp: int
    seconds: float
    datagrams: float
    connections: float
    seed: int
    token: str
    server: str
    channel: str
    user: str
    session: str
    ssrc: list[int]


def parse(arguments: list[str] | None = None) -> Target:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tcp", type=int, required=True, help="port of the WebSockets")
    parser.add_argument("--udp", type=int, required=True, help="port of the audio")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--datagrams", type=float, default=1000.0, help="per second")
    parser.add_argument("--connections", type=float, default=20.0, help="per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--token", required=True, help="admits users of our own")
    parser.add_argument("--server", required=True, help="where the call is, like the next")
    parser.add_argument("--channel", required=True)
    parser.add_argument("--user", required=True, help="somebody in the call")
    parser.add_argument("--session", required=True, help="of that user")
    parser.add_argument("--ssrc", type=int, action="append", required=True, help="in the call")
    return parser.parse_args(arguments, Target())


# -- UDP ---------------------------------------------------------------------------


def datagram(random: Random, ssrcs: list[int]) -> tuple[str, bytes]:
    """One datagram, and what it is."""
    ssrc = random.choice(ssrcs) if random.random() < 0.7 else random.getrandbits(32)
    body = random.randbytes(random.randrange(400))
    roll = random.random()
    if roll < 0.002:
        return "largest", random.randbytes(65_507)
    if roll < 0.01:
        return "empty", b""
    if roll < 0.30:
        return "random", random.randbytes(random.randrange(1, 1500))
    if roll < 0.60:
        word = random.getrandbits(16), random.getrandbits(32)
        first = random.choice((0x80, 0x90, 0xA0, 0x8F, 0x9F, 0xB1))
        kind = random.choice((0x78, 0xF8, 0x78, 0x65))
        return "like RTP", struct.pack(">BBHII", first, kind, *word, ssrc) + body
    if roll < 0.70:
        kind = random.choice((200, 201, 202, 203, 204, 205, 206))
        words = random.choice((len(body) // 4, random.getrandbits(16)))
        return "like RTCP", struct.pack(">BBHI", 0x81, kind, words, ssrc) + body
    if roll < 0.80:
        head = random.choice((b"\0\1\0\x46", b"\0\2\0\x46", b"\0\1\xff\xff"))
        size = random.choice((66, 66, 66, 10, 500))
        return "like discovery", head + struct.pack(">I", ssrc) + random.randbytes(size)
    if roll < 0.90:
        head = random.choice((b"\x13\x37\xca\xfe", b"\x13\x37\xf0\x0d", b"\0\0\0\0"))
        return "like a keepalive", head + random.randbytes(random.randrange(6))
    head = struct.pack(">BBHII", 0x90, 0x78, 1, 960, ssrc) + struct.pack(">HH", 0xBEDE, 0xFFFF)
    return "extension past the end", (head + body)[: random.randrange(1, 60)]


async def flood_udp(target: Target, random: Random, sent: Counter[str]) -> None:
    """Send at a steady rate from sockets of several ports; never catch up in a burst."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
    for each in sockets:
        each.setblocking(False)
    try:
        begin = time.monotonic()
        count = 0
        while (passed := time.monotonic() - begin) < target.seconds:
            due = int(passed * target.datagrams)
            count = max(count, due - MAX_BURST)
            while count < due:
                kind, data = datagram(random, target.ssrc)
                with contextlib.suppress(OSError):
                    random.choice(sockets).sendto(data, (HOST, target.udp))
                    sent[kind] += 1
                count += 1
            await asyncio.sleep(0.005)
    finally:
        for each in sockets:
            each.close()


# -- TCP ---------------------------------------------------------------------------


class Client:
    """One TCP connection, with as much WebSocket as garbage needs."""

    def __init__(self, target: Target, random: Random, codes: Counter[str]) -> None:
        self.target = target
        self.random = random
        self._codes = codes

    async def dial(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(HOST, self.target.tcp)

    async def upgrade(self, path: str = "/?v=8") -> None:
        await self.dial()
        key = base64.b64encode(self.random.randbytes(16)).decode()
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{self.target.tcp}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await self.reader.readuntil(b"\r\n\r\n")

    async def text(self, text: str | bytes) -> None:
        payload = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        await self.raw(rfc6455.frame(rfc6455.TEXT, payload, self.random.randbytes(4)))

    async def binary(self, data: bytes) -> None:
        await self.raw(rfc6455.frame(rfc6455.BINARY, data, self.random.randbytes(4)))

    async def message(self, op: object, data: object) -> None:
        await self.text(json.dumps({"op": op, "d": data}))

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read_on(self) -> None:
        """Read until the server closes, and note the code."""
        while True:
            head = await self.reader.readexactly(2)
            size = head[1] & rfc6455.LENGTH
            if size == 126:
                (size,) = struct.unpack(">H", await self.reader.readexactly(2))
            payload = await self.reader.readexactly(size)
            if head[0] & rfc6455.OPCODE == rfc6455.CLOSE:
                self._codes[str(struct.unpack(">H", payload[:2])[0]) if payload else "1005"] += 1
                return

    def identify(self, **other: object) -> Awaitable[None]:
        identity = {
            "server_id": str(self.random.getrandbits(40)),
            "channel_id": self.target.channel,
            "user_id": str(self.random.getrandbits(40)),
            "session_id": self.random.randbytes(8).hex(),
            "token": self.target.token,
            **other,
        }
        return self.message(0, identity)


async def say_nothing(client: Client) -> None:
    await client.dial()
    await asyncio.sleep(LONGEST)


async def raw_bytes(client: Client) -> None:
    random = client.random
    await client.dial()
    request, post, tls = b"GET /?v=8 HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02"
    start = random.choice((b"", request, post, tls))
    await client.raw(start + random.randbytes(random.randrange(5000)))
    await client.reader.read()


async def half_a_request(client: Client) -> None:
    await client.dial()
    await client.raw(b"GET /?v=8 HTTP/1.1\r\nHost: x\r\n" + b"X-Long: y\r\n" * 20)
    await asyncio.sleep(LONGEST)


async def wrong_path(client: Client) -> None:
    queries = ("", "v=3", "v=99", "v=8&v=9", "v=-8", "v=%F0", "v=" + "9" * 4000, "&" * 99)
    await client.upgrade(f"/?{client.random.choice(queries)}")
    await client.read_on()


async def upgrade_and_leave(client: Client) -> None:
    await client.upgrade()
    if client.random.random() < 0.5:
        client.writer.transport.abort()


async def never_identify(client: Client) -> None:
    await client.upgrade()
    await client.read_on()


async def random_text(client: Client) -> None:
    random = client.random
    await client.upgrade()
    texts: tuple[str | bytes, ...] = (
        "",
        "{",
        "null",
        '{"op":0}',
        '{"op":3,"d":1e999}',
        '{"op":-1,"d":null}',
        '{"op":"0","d":{}}',
        '{"op":0,"d":{"server_id":1,"user_id":true}}',
        "\ud800",
        random.randbytes(200),
        "[" * 20_000,
        '{"op":3,"d":' + '{"a":' * 10_000,
        json.dumps({"op": random.getrandbits(70), "d": "x" * 500}),
    )
    await client.text(random.choice(texts))
    await client.read_on()


async def random_binary(client: Client) -> None:
    await client.upgrade()
    await client.binary(client.random.randbytes(client.random.choice((0, 1, 2, 3, 30, 3000))))
    await client.read_on()


async def huge_message(client: Client) -> None:
    random = client.random
    await client.upgrade()
    size = random.choice((1 << 16, 1 << 17, 1 << 20, 5 << 20))
    await asyncio.gather(client.read_on(), client.text('{"op":0,"d":"' + "x" * size + '"}'))


async def bad_frames(client: Client) -> None:
    random = client.random
    await client.upgrade()
    frames = (
        rfc6455.frame(rfc6455.TEXT, b"{}"),  # not masked
        b"\xf1\x80abcd",  # reserved bits
        b"\x83\x80abcd",  # an opcode that is none
        b"\x09\x80abcd",  # a ping in pieces
        b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"abcd",  # 2**63 bytes to come
        b"\x88\x81abcdx",  # a close frame of one byte
        b"\x01\x82abcdxx" * 50,  # beginnings without an end
        rfc6455.frame(rfc6455.PING, b"p", b"abcd") * 200,
        random.randbytes(300),
    )
    await client.raw(random.choice(frames))
    await client.read_on()


async def every_opcode(client: Client) -> None:
    """Be let in, then say what nobody says."""
    random = client.random
    await client.upgrade(f"/?v={random.randrange(4, 10)}")
    await client.identify()
    values: tuple[object, ...] = (None, 0, -1, 2**64, 1.5, True, "x", [], [[]], {}, {"ssrc": -1})
    for _ in range(random.randrange(1, 10)):
        op = random.randrange(35)
        data = random.choice(values)
        if op == 1 and random.random() < 0.7:
            address = {"address": HOST, "port": client.target.udp, "mode": "xsalsa20_poly1305"}
            data = {"protocol": "udp", "data": address}
        elif op == 5 and random.random() < 0.7:
            data = {"speaking": 1, "delay": 0, "ssrc": random.choice(client.target.ssrc)}
        await client.message(op, data)
    await client.read_on()


async def too_many_messages(client: Client) -> None:
    await client.upgrade()
    await client.identify()

    async def heartbeats() -> None:
        for number in range(400):
            await client.message(3, {"t": number, "seq_ack": -1})

    await asyncio.gather(client.read_on(), heartbeats())


async def identify_and_vanish(client: Client) -> None:
    """Sessions that stay behind: with a key they wait for a resume."""
    random = client.random
    await client.upgrade()
    await client.identify()
    mode = "aead_xchacha20_poly1305_rtpsize"
    address = {"address": HOST, "port": random.randrange(1024, 65536), "mode": mode}
    await client.message(1, {"protocol": "udp", "data": address})
    await asyncio.sleep(random.random())
    client.writer.transport.abort()


async def join_the_call(client: Client) -> None:
    """Walk in and out of the room of the call: its members are told each time."""
    await client.upgrade()
    await client.identify(server_id=client.target.server)
    await asyncio.sleep(client.random.random())


async def pose_as_a_user(client: Client) -> None:
    """Take the place of somebody in the call, without that one's token."""
    random, target = client.random, client.target
    await client.upgrade()
    token = random.choice(("", "x", "secret", target.token[:-1], target.token + "x", "\ud800"))
    stolen = {"server_id": target.server, "user_id": target.user, "session_id": target.session}
    if random.random() < 0.5:
        await client.identify(**stolen, token=token)
    else:
        resume = {"server_id": target.server, "session_id": target.session, "token": token}
        await client.message(7, {**resume, "seq_ack": random.choice((-1, 0, 5, 65535))})
    await client.read_on()


KINDS: tuple[tuple[int, Callable[[Client], Awaitable[None]]], ...] = (
    (2, say_nothing),
    (4, raw_bytes),
    (2, half_a_request),
    (3, wrong_path),
    (4, upgrade_and_leave),
    (2, never_identify),
    (6, random_text),
    (3, random_binary),
    (1, huge_message),
    (5, bad_frames),
    (6, every_opcode),
    (1, too_many_messages),
    (5, identify_and_vanish),
    (1, join_the_call),
    (5, pose_as_a_user),
)


async def flood_tcp(
    target: Target, random: Random, opened: Counter[str], codes: Counter[str]
) -> None:
    running: set[asyncio.Task[None]] = set()

    async def run(kind: Callable[[Client], Awaitable[None]]) -> None:
        client = Client(target, random, codes)
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(LONGEST):
                await kind(client)
        writer = getattr(client, "writer", None)
        if writer is not None:
            writer.transport.abort()

    end = time.monotonic() + target.seconds
    for kind in _schedule(random):
        if time.monotonic() >= end:
            break
        if len(running) < MAX_CONNECTIONS:
            task = asyncio.ensure_future(run(kind))
            running.add(task)
            task.add_done_callback(running.discard)
            opened[kind.__name__.replace("_", " ")] += 1
        await asyncio.sleep(1 / target.connections)
    if running:
        await asyncio.wait(running)
    for task in running:
        task.result()  # a mistake in here is to be seen


def _schedule(random: Random) -> Iterator[Callable[[Client], Awaitable[None]]]:
    kinds = [kind for weight, kind in KINDS for _ in range(weight)]
    while True:
        random.shuffle(kinds)
        yield from kinds


async def main(target: Target) -> None:
    datagrams: Counter[str] = Counter()
    connections: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    await asyncio.gather(
        flood_udp(target, Random(f"{target.seed}/udp"), datagrams),
        flood_tcp(target, Random(f"{target.seed}/tcp"), connections, codes),
    )
    print(json.dumps({"datagrams": datagrams, "connections": connections, "closed": codes}))


if __name__ == "__main__":
    asyncio.run(main(parse()))
