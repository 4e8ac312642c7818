"""A whole call on a plain `selectors` loop: selectors_loop.py FILE ENDPOINT (ws://HOST:PORT)."""

import selectors
import socket
import sys
import time
from contextlib import suppress
from functools import partial

from voicekit import VoiceConnection, VoiceServerInfo, errors, events, media, outputs
from voicekit.driver.polled_websocket import PolledWebSocket


class Call:
    def __init__(self, info, on_event=lambda event: None):
        self.connection, self.on_event, self.stopped = VoiceConnection(info), on_event, False
        self.selector, self.websockets, self.udp = selectors.DefaultSelector(), {}, {}

    def call(self, mutate, *arguments):  # the one rule: mutate, drain; only then call again
        mutate(*arguments, time.monotonic())
        opening = []
        while (item := self.connection.poll()) is not None:
            match item:
                case outputs.OpenWebSocket() | outputs.OpenUdp():
                    opening.append(item)
                case outputs.SendText() | outputs.SendBinary() | outputs.CloseWebSocket():
                    self.websockets[item.link].perform(item)
                case outputs.SendDatagram(link, data):
                    with suppress(OSError):  # a full buffer loses it
                        self.udp[link].send(data)
                case outputs.CloseUdp(link):
                    self.forget(self.udp.pop(link))
                case events.Closed(error=Exception() as error):
                    raise error
                case event:
                    self.stopped |= isinstance(event, events.AudioStopped)
                    self.on_event(event)
        for item in opening:
            self.open(item, item.link)

    def open(self, item, link):
        if isinstance(item, outputs.OpenUdp):
            sock = self.udp[link] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.connect((item.host, item.port))  # strangers' datagrams stay out
            sock.setblocking(False)
            tell, read = self.connection.udp_opened, partial(self.read_udp, link, sock)
        else:
            try:
                sock = self.websockets[link] = PolledWebSocket(item.url)
            except errors.ConnectFailed as error:
                return self.call(self.connection.websocket_failed, link, str(error))
            tell, read = self.connection.websocket_opened, partial(self.read_websocket, link, sock)
        self.selector.register(sock, selectors.EVENT_READ, read)
        self.call(tell, link)
        read()  # what came together with the answer to the upgrade

    def read_websocket(self, link, websocket):
        for message in websocket.messages():
            receive = "receive_text" if isinstance(message, str) else "receive_binary"
            self.call(getattr(self.connection, receive), link, message)
        if websocket.is_over:
            self.forget(self.websockets.pop(link))
            self.call(self.connection.websocket_closed, link, *websocket.ending)

    def read_udp(self, link, udp):
        with suppress(BlockingIOError, ConnectionError):  # until there is no more
            while True:
                self.call(self.connection.receive_datagram, link, udp.recv(65536))

    def forget(self, sock):
        self.selector.unregister(sock)
        sock.close()

    def run(self, until):  # do what is due: of the sockets, and of the connection's timer
        while (now := time.monotonic()) < until:
            due = min(until, self.connection.next_timeout() or until)
            for key, _ in self.selector.select(max(0.0, due - now)):
                key.data()
            self.call(self.connection.handle_timeout)

    def play(self, packets):
        while not self.connection.is_ready or self.connection.awaits_group:
            self.run(time.monotonic() + 0.02)
        due, self.stopped = time.monotonic(), False
        for opus in packets:
            self.call(self.connection.send_audio, opus)
            self.run(due := due + 0.02)
        self.call(self.connection.stop_audio)
        while not self.stopped:  # five frames of silence
            self.run(time.monotonic() + 0.02)


if __name__ == "__main__":
    me = {"server_id": 1, "channel_id": 2, "user_id": 3, "session_id": "s", "token": "t"}
    call = Call(VoiceServerInfo(endpoint=sys.argv[2], **me), on_event=print)
    call.call(call.connection.start)
    call.play(iter(media.open_source(sys.argv[1]).read, None))
    call.call(call.connection.close)
    call.run(time.monotonic() + 0.2)  # for the goodbye
