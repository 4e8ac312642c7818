"""Gives a `VoiceConnection` its sockets, on an event loop of asyncio."""

import asyncio
from functools import partial

from websockets.uri import parse_uri

from ..driver.dialling import DIAL_ERRORS, DIAL_TIMEOUT, explain
from ..driver.sockets import ConnectionDriver
from ..driver.web_messages import CLOSE_TIMEOUT
from ..outputs import OpenWebSocket
from .network import Network
from .pump import Engine
from .udp import UdpLink
from .websocket import WebSocketLink

__all__ = ["Driver"]


class Driver(ConnectionDriver[UdpLink, Network], Engine):
    """The sockets and the clock of one connection. Call the connection, then `drain`."""

    udp_link = UdpLink

    _websockets: dict[int, WebSocketLink]  # type: ignore[assignment]

    async def close(self) -> None:
        """End everything: no task and no socket is left."""
        for link in list(self._websockets.values()):
            link.drop()
        await super().close()
        await self.wait_all_closed(self.loop.now() + CLOSE_TIMEOUT)

    # -- the WebSocket -------------------------------------------------------------

    def _open_websocket(self, output: OpenWebSocket) -> None:
        number = output.link
        link = self._websockets[number] = WebSocketLink(
            opened=partial(self._websocket_opened, number),
            receive=partial(self._receive_message, number),
            ended=partial(self._end_websocket, number, None),
            failed=self._fail,
        )
        link.dialling = self._spawn(self._dial, number, output.url, link)
        link.dialling.add_done_callback(partial(self._dialled, number))

    async def _dial(self, number: int, url: str, link: WebSocketLink) -> None:
        try:
            where = parse_uri(url)
            context = await self._tls_context() if where.secure else None
            async with asyncio.timeout(DIAL_TIMEOUT):
                await link.dial(self._network, where, context)
        except DIAL_ERRORS as error:
            self._end_websocket(number, explain(error))

    def _dialled(self, number: int, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # perhaps before it began
            self._end_websocket(number, "given up")

    def _end_websocket(
        self, number: int, failure: str | None, code: int | None = None, reason: str = ""
    ) -> None:
        given_up = self._websockets[number].given_up
        self._forget_websocket(number)
        if not given_up:  # else the connection asked for it, and wants to hear no more
            self._websocket_ended(number, failure, code, reason)

    # -- UDP -----------------------------------------------------------------------

    def _start_udp(self, link: UdpLink, host: str, port: int) -> None:
        connect = partial(self._network.connect_datagrams, host, port)
        link.task = self._spawn(link.run, connect)
