"""Gives a `VoiceConnection` its sockets, in tasks of trio."""

from functools import partial

import trio
from websockets.uri import parse_uri

from ..driver.dialling import DIAL_ERRORS, DIAL_TIMEOUT, explain
from ..driver.sockets import ConnectionDriver
from ..driver.web_messages import client_protocol
from ..outputs import OpenWebSocket
from .client_websocket import ClientWebSocket
from .network import Network
from .pump import Engine
from .udp import UdpLink
from .websocket import WebSocketLink

__all__ = ["Driver"]


class Driver(ConnectionDriver[UdpLink, Network], Engine):
    """The sockets and the clock of one connection. Call the connection, then `drain`."""

    udp_link = UdpLink

    # -- the WebSocket -------------------------------------------------------------

    def _open_websocket(self, output: OpenWebSocket) -> None:
        link = self._websockets[output.link] = WebSocketLink()
        self._nursery.start_soon(self._run_websocket, output.link, output.url, link)

    @trio.lowlevel.enable_ki_protection
    async def _run_websocket(self, number: int, url: str, link: WebSocketLink) -> None:
        failure: str | None = None
        code, reason = None, "the connection was lost"
        try:
            with link.scope:
                try:
                    websocket = await self._dial(url)
                except (*DIAL_ERRORS, trio.BrokenResourceError) as error:
                    failure = explain(error)
                else:
                    try:
                        self._websocket_opened(number)
                        receive = partial(self._receive_message, number)
                        code, reason = await link.carry(websocket, receive, self._nursery)
                    finally:
                        await websocket.drop()
        finally:
            self._forget_websocket(number)
        if not link.given_up:  # else the connection asked for it, and wants to hear no more
            self._websocket_ended(number, failure, code, reason)

    async def _dial(self, url: str) -> ClientWebSocket:
        where = parse_uri(url)
        context = await self._tls_context() if where.secure else None
        try:
            with trio.fail_after(DIAL_TIMEOUT):
                stream = await self._network.connect_stream(where.host, where.port)
                return await ClientWebSocket.open(stream, client_protocol(where), where, context)
        except trio.TooSlowError:
            raise TimeoutError from None

    # -- UDP -----------------------------------------------------------------------

    def _start_udp(self, link: UdpLink, host: str, port: int) -> None:
        connect = partial(self._network.connect_datagrams, host, port)
        self._nursery.start_soon(link.run, connect)
