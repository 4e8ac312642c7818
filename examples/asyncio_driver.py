"""A complete asyncio driver around `VoiceConnection`: sockets and a timer, nothing else.

What an author of an asyncio library would write once; docs/embedding.md walks through it.
It needs `websockets` for the WebSocket, and voicekit's media extra to read a file:

    python examples/asyncio_driver.py FILE --endpoint HOST:PORT --server-id N \
        --channel-id N --user-id N --session-id S --token T

plays FILE into a call, listens for `--seconds` more, and prints who was heard.
"""

import argparse
import asyncio
import json
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from voicekit import Config, VoiceConnection, VoiceServerInfo
from voicekit.errors import VoicekitError
from voicekit.events import AudioFrame, AudioStopped, Closed, Event
from voicekit.net import DatagramBatch, drain
from voicekit.outputs import (
    CloseUdp,
    CloseWebSocket,
    OpenUdp,
    OpenWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
)

FRAME_SECONDS = 0.02
#: A frame this late (seconds) moves the ones after it: a burst would be heard as speeding up.
CATCH_UP = 0.06
#: Leaving must not hold up a program that ends.
LEAVE_TIMEOUT = 1.0
#: Frames kept for a slow reader, then the oldest are dropped: twenty seconds of one speaker.
FRAMES_KEPT = 1000

Message = SendText | SendBinary | CloseWebSocket
_Result = TypeVar("_Result")


class Voice:
    """One call, for the length of an ``async with`` block.

    ``on_event`` is called with every event but audio; audio is in `frames`.
    """

    def __init__(
        self,
        info: VoiceServerInfo,
        *,
        config: Config | None = None,
        ssl_context: ssl.SSLContext | None = None,
        on_event: Callable[[Event], object] = lambda event: None,
    ) -> None:
        self.connection = VoiceConnection(info, config=config)
        self.closed: Closed | None = None
        self.frames_dropped = 0
        self._ssl_context = ssl_context
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._frames: asyncio.Queue[AudioFrame | None] = asyncio.Queue()
        self._outboxes: dict[int, asyncio.Queue[Message]] = {}  # by WebSocket link
        self._sockets: dict[int, socket.socket | None] = {}  # by UDP link
        self._batch = DatagramBatch()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._happened = asyncio.Event()
        self._audio_stops = 0

    async def __aenter__(self) -> Self:
        self.call(self.connection.start)
        try:
            await self._until(lambda: self.connection.is_ready)
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave()

    # -- for the application -----------------------------------------------------------

    async def play(self, packets: Iterable[bytes]) -> None:
        """Send Opus packets of 20 ms, one every 20 ms, and the silence that ends them."""
        await self._until(self._is_heard)
        due = self._loop.time()
        for opus in packets:
            await asyncio.sleep(due - self._loop.time())
            if not self.connection.is_ready:  # a session is being made anew: wait, lose nothing
                await self._until(self._is_heard)
                due = self._loop.time()
            self.call(self.connection.send_audio, opus)
            late = self._loop.time() - due
            due += FRAME_SECONDS + (late if late > CATCH_UP else 0.0)
        await self._stop_audio()

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """Yield the audio of everybody until the call is over."""
        while (frame := await self._frames.get()) is not None:
            yield frame

    # -- the loop: one mutation, drain, timer --------------------------------------------

    def call(self, mutate: Callable[..., _Result], *arguments: object) -> _Result:
        """Call one mutator of the connection with the time, and do what it asks for.

        Every call into the connection goes through here, on the loop's own thread, so no
        two can overlap and none goes undrained.
        """
        result = mutate(*arguments, self._loop.time())
        while (item := self.connection.poll()) is not None:
            self._perform(item)
        if self._timer is not None:
            self._timer.cancel()
        when = self.connection.next_timeout()
        if when is not None:
            self._timer = self._loop.call_at(when, self.call, self.connection.handle_timeout)
        return result

    def _perform(self, item: object) -> None:
        match item:
            case AudioFrame():
                self._keep(item)
            case SendDatagram(link, data):
                if (udp := self._sockets.get(link)) is not None:
                    with suppress(OSError):  # lost already here, as datagrams may be
                        udp.send(data)
            case SendText(link) | SendBinary(link) | CloseWebSocket(link):
                if (outbox := self._outboxes.get(link)) is not None:
                    outbox.put_nowait(item)
            case OpenWebSocket(link, url):
                self._outboxes[link] = asyncio.Queue()
                self._spawn(self._websocket(link, url, self._outboxes[link]))
            case OpenUdp(link, host, port):
                self._sockets[link] = None
                self._spawn(self._udp(link, host, port))
            case CloseUdp(link):
                if (udp := self._sockets.pop(link, None)) is not None:
                    self._close(udp)
            case _:
                self._note(item)

    def _keep(self, frame: AudioFrame) -> None:
        if self._frames.qsize() >= FRAMES_KEPT:
            self._frames.get_nowait()
            self.frames_dropped += 1
        self._frames.put_nowait(frame)

    def _note(self, event: Event) -> None:
        if isinstance(event, AudioStopped):
            self._audio_stops += 1
        elif isinstance(event, Closed):
            self.closed = event
            self._frames.put_nowait(None)
        self._on_event(event)
        self._happened.set()
        self._happened = asyncio.Event()

    # -- sockets ---------------------------------------------------------------------------

    async def _websocket(self, link: int, url: str, outbox: asyncio.Queue[Message]) -> None:
        """One WebSocket, from dialling to its end."""
        connection = self.connection
        try:
            # The gateway has heartbeats of its own, and voice servers do not compress.
            websocket = await connect(
                url,
                ssl=self._ssl_context if url.startswith("wss:") else None,
                compression=None,
                ping_interval=None,
                close_timeout=LEAVE_TIMEOUT,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            del self._outboxes[link]
            self.call(connection.websocket_failed, link, str(error) or type(error).__name__)
            return
        self.call(connection.websocket_opened, link)
        sender = self._spawn(_send(websocket, outbox))
        try:
            async for message in websocket:
                if isinstance(message, str):
                    self.call(connection.receive_text, link, message)
                else:
                    self.call(connection.receive_binary, link, message)
        except ConnectionClosed:
            pass
        finally:
            sender.cancel()
        del self._outboxes[link]
        code, reason = websocket.close_code, websocket.close_reason or ""
        self.call(connection.websocket_closed, link, code, reason)

    async def _udp(self, link: int, host: str, port: int) -> None:
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, *_, address = found[0]
            udp = socket.socket(family, socket.SOCK_DGRAM)
            udp.setblocking(False)
            udp.connect(address)  # datagrams of strangers do not reach it
        except OSError as error:
            self.call(self.connection.udp_failed, link, str(error))
            return
        if link not in self._sockets:  # closed again while it was being opened
            udp.close()
            return
        self._sockets[link] = udp
        self._loop.add_reader(udp, self._receive, link, udp)
        self.call(self.connection.udp_opened, link)

    def _receive(self, link: int, udp: socket.socket) -> None:
        """Take what waits on the socket. A DatagramProtocol takes ten times as long for it."""
        try:
            drain(udp.fileno(), self._batch)
        except OSError as error:
            del self._sockets[link]
            self._close(udp)
            self.call(self.connection.udp_failed, link, str(error))
            return
        for frame in self.call(self.connection.receive_batch, link, self._batch):
            self._keep(frame)

    def _close(self, udp: socket.socket) -> None:
        self._loop.remove_reader(udp)
        udp.close()

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- waiting and leaving ---------------------------------------------------------------

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            if self.closed is not None:
                raise self.closed.error or ConnectionError(self.closed.why)
            await self._happened.wait()

    def _is_heard(self) -> bool:
        return self.connection.is_ready and not self.connection.awaits_group

    async def _stop_audio(self) -> None:
        stops = self._audio_stops
        self.call(self.connection.stop_audio)
        await self._until(lambda: self._audio_stops > stops)

    async def _leave(self) -> None:
        """Say goodbye for a second at most; then nothing of the call is left."""
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT):
                if self.closed is None:
                    await self._stop_audio()
                    self.call(self.connection.close)
                if self._tasks:
                    await asyncio.wait(self._tasks)
        except (TimeoutError, ConnectionError, VoicekitError):
            pass  # gone already, or too slow
        finally:
            if self.closed is None:
                self.call(self.connection.close)
            for udp in filter(None, self._sockets.values()):
                self._close(udp)
            self._sockets.clear()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._timer is not None:
                self._timer.cancel()


async def _send(websocket: ClientConnection, outbox: asyncio.Queue[Message]) -> None:
    """Send what is queued for one WebSocket, in order; a close is the last."""
    try:
        while True:
            match await outbox.get():
                case SendText(_, text):
                    await websocket.send(text)
                case SendBinary(_, data):
                    await websocket.send(data)
                case CloseWebSocket(_, code, reason):
                    await websocket.close(code, reason)
                    return
    except ConnectionClosed:
        pass  # the reader reports it


# -- the command line ----------------------------------------------------------------------


async def run(options: argparse.Namespace) -> dict[str, object]:
    """Play, listen, count."""
    context = ssl.create_default_context(cafile=options.ca_file)
    info = VoiceServerInfo(
        endpoint=options.endpoint,
        server_id=options.server_id,
        channel_id=options.channel_id,
        user_id=options.user_id,
        session_id=options.session_id,
        token=options.token,
    )
    heard: Counter[int] = Counter()

    async def listen(voice: Voice) -> None:
        async for frame in voice.frames():
            heard[frame.user_id] += 1

    async with Voice(info, ssl_context=context) as voice, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen(voice))
        if options.file:
            await voice.play(await asyncio.to_thread(read_opus, options.file))
        await asyncio.sleep(options.seconds)
        listening.cancel()
    stats = voice.connection.stats()
    return {"sent": stats.packets_sent, "heard": heard, "resumes": stats.resumes}


def read_opus(path: str) -> list[bytes]:
    """Read a whole file as Opus packets of 20 ms; a player of long files would read ahead."""
    from voicekit.media import open_source

    source = open_source(path)
    try:
        return list(iter(source.read, None))
    finally:
        source.close()


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Play a file into a voice call, and listen.")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--endpoint", required=True)
    for name in ("server-id", "channel-id", "user-id"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--session-id", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--ca-file")
    parser.add_argument("--seconds", type=float, default=0.0)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
