"""Many members join within a second, over a bad network, all of them talking.

Real `VoiceConnection`s and a real `VoiceServer` on one virtual clock. Datagrams go through
a `Link` each way; WebSocket messages are late by as much, in order, and now and then by a
retransmission on top, as TCP on such a path is. `voicekit.testing.Pair` does the same and
more, but looks at every client for each datagram: here there are hundreds of thousands.
"""

import heapq
from collections.abc import Callable
from functools import partial
from random import Random

import msgspec

from tests.dave.hearing import Hearing
from voicekit import Config, VoiceConnection
from voicekit.codes import Opcode
from voicekit.events import AudioFrame, DaveTransition
from voicekit.link import Link
from voicekit.outputs import (
    CloseUdp,
    CloseWebSocket,
    OpenUdp,
    OpenWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
)
from voicekit.server import ServerConfig, VoiceServer
from voicekit.server import outputs as server_outputs
from voicekit.testing import Pair, opus_frame

FRAME = 0.02
DELAY, JITTER = 0.02, 0.04  # 40 ± 20 ms


class Weather(msgspec.Struct, frozen=True):
    """What the network and the server do to everybody."""

    retransmission: float = 0.1  #: share of WebSocket messages that TCP has to send again
    retransmission_delay: float = 0.15
    late_users: int = 5  #: get each op 22 up to 2 s late
    lateness: float = 2.0


class Member:
    """One client: its connection, its two links, what it sent and heard."""

    def __init__(self, number: int, config: Config, seed: int) -> None:
        self.number = number
        info = Pair.info(number, seed)
        self.user_id = info.user_id
        self.connection = VoiceConnection(info, config=config, random=Random(f"{seed}/{number}"))
        links = (Link(delay=DELAY, jitter=JITTER, seed=seed * 100 + 2 * number + n) for n in (0, 1))
        self.uplink, self.downlink = links
        self.random = Random(f"{seed}/{number}/websocket")
        self.address = (f"198.51.100.{number}", 40000 + number)
        self.link = 0
        self.udp_link = 0
        self.last_due = [0.0, 0.0]  # of its WebSocket, each way
        self.timer = float("inf")
        self.sent = 0
        self.entered: int | None = None  # the transition id that brought it in


class Storm:
    """25 members, say. `run` does all of it; `hearing` knows what was lost then."""

    def __init__(
        self,
        members: int,
        config: Callable[[int], Config],
        *,
        weather: Weather | None = None,
        seconds: float = 5.0,
        seed: int = 0,
    ) -> None:
        self.weather = weather if weather is not None else Weather()
        self.now = 0.0
        self.seconds = seconds
        self.random = Random(f"{seed}/storm")
        self.server = VoiceServer(ServerConfig(), random=Random(f"{seed}/server"))
        self.server.set_udp_address("192.0.2.1", 50000)
        self.members = [Member(number, config(number), seed) for number in range(1, members + 1)]
        late = min(self.weather.late_users, members // 2)
        self.late = set(self.random.sample(range(1, members + 1), late))
        self.hearing = Hearing()
        self._by_address = {member.address: member for member in self.members}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._server_timer = float("inf")

    def run(self) -> None:
        self.server.start(0.0)
        self._drain_server()
        for member in self.members:
            when = self.random.random() if member.number > 1 else 0.0
            self._at(when, partial(self._start, member))
        while self._events and self._events[0][0] <= self.seconds + 1.0:
            when, _, action = heapq.heappop(self._events)
            self.now = max(self.now, when)
            action()

    # -- the clock ---------------------------------------------------------------

    def _at(self, when: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action))

    def _start(self, member: Member) -> None:
        member.connection.start(self.now, wall=1e9 + self.now)
        self._drain(member)
        self._at(self.now + FRAME, lambda: self._talk(member, self.now))

    def _talk(self, member: Member, due: float) -> None:
        connection = member.connection
        if connection.is_ready:
            opus = opus_frame(member.number << 20 | member.sent)
            member.sent += 1
            datagram = connection.seal_audio(opus, self.now)
            if datagram is not None:
                self.hearing.spoke(member.user_id, opus, self.now)
                self._send_datagram(member, datagram)
            self._drain(member)
        if due + FRAME <= self.seconds:
            self._at(due + FRAME, lambda: self._talk(member, due + FRAME))

    def _arm(self, member: Member) -> None:
        due = member.connection.next_timeout()
        if due is not None and due < member.timer:
            member.timer = due
            self._at(due, lambda: self._fire(member, due))

    def _fire(self, member: Member, due: float) -> None:
        if member.timer == due:
            member.timer = float("inf")
            member.connection.handle_timeout(self.now)
            self._drain(member)

    def _arm_server(self) -> None:
        due = self.server.next_timeout()
        if due is not None and due < self._server_timer:
            self._server_timer = due
            self._at(due, self._fire_server)

    def _fire_server(self) -> None:
        self._server_timer = float("inf")
        self.server.handle_timeout(self.now)
        self._drain_server()

    # -- clients -------------------------------------------------------------------

    def _drain(self, member: Member) -> None:
        connection = member.connection
        while (item := connection.poll()) is not None:
            match item:
                case AudioFrame():
                    self.hearing.heard(member.user_id, item, self.now)
                case SendDatagram(_, data):
                    self._send_datagram(member, data)
                case SendText(_, text):
                    self._to_server(member, partial(self._text_at_server, member, text))
                case SendBinary(_, data):
                    self._to_server(member, partial(self._binary_at_server, member, data))
                case OpenWebSocket(link):
                    member.link = link
                    self._to_server(member, partial(self._open, member))
                case OpenUdp(link):
                    member.udp_link = link
                    connection.udp_opened(link, self.now)
                case DaveTransition(transition_id, version) if version:
                    self.hearing.switched(member.user_id, transition_id, self.now)
                case CloseWebSocket() | CloseUdp():
                    raise AssertionError(f"member {member.number} closes: {item}")
        self._arm(member)

    def _open(self, member: Member) -> None:
        self.server.websocket_opened(member.number, "/?v=9", self.now)
        self._drain_server()
        member.connection.websocket_opened(member.link, self.now)
        self._drain(member)

    def _to_server(self, member: Member, action: Callable[[], None]) -> None:
        self._at(self._due(member, 0), action)

    def _text_at_server(self, member: Member, text: str) -> None:
        self.server.receive_text(member.number, text, self.now)
        self._drain_server()

    def _binary_at_server(self, member: Member, data: bytes) -> None:
        self.server.receive_binary(member.number, data, self.now)
        self._drain_server()

    def _due(self, member: Member, direction: int) -> float:
        """When a WebSocket message arrives that is sent now: never before an earlier one."""
        delay = DELAY + member.random.random() * JITTER
        if member.random.random() < self.weather.retransmission:
            delay += self.weather.retransmission_delay
        due = max(self.now + delay, member.last_due[direction])
        member.last_due[direction] = due
        return due

    # -- the server -----------------------------------------------------------------

    def _drain_server(self) -> None:
        while (item := self.server.poll()) is not None:
            match item:
                case server_outputs.SendDatagram(address, data):
                    member = self._by_address[address]
                    self._pass(member.downlink, data, partial(self._down, member))
                case server_outputs.SendText(link, text):
                    self._tell(self.members[link - 1], text)
                case server_outputs.SendBinary(link, data):
                    self._tell(self.members[link - 1], data)
        self._arm_server()

    def _tell(self, member: Member, message: str | bytes) -> None:
        due = self._due(member, 1)
        is_execute = isinstance(message, str) and message.startswith(_EXECUTE)
        if is_execute and member.number in self.late:
            due += self.random.random() * self.weather.lateness  # alone: what follows is on time
        self._at(due, lambda: self._hand_over(member, message))

    def _hand_over(self, member: Member, message: str | bytes) -> None:
        connection = member.connection
        if isinstance(message, str):
            connection.receive_text(member.link, message, self.now)
        else:
            connection.receive_binary(member.link, message, self.now)
            if message[2] in _ENTERING and member.entered is None and connection.dave_members:
                member.entered = int.from_bytes(message[3:5], "big")
                self.hearing.entered(member.user_id, member.entered, self.now)
        self._drain(member)

    # -- datagrams ---------------------------------------------------------------------

    def _send_datagram(self, member: Member, data: bytes) -> None:
        self._pass(member.uplink, data, partial(self._up, member))

    def _up(self, member: Member, data: bytes) -> None:
        self.server.receive_datagram(data, member.address, self.now)
        self._drain_server()

    def _down(self, member: Member, data: bytes) -> None:
        member.connection.receive_datagram(member.udp_link, data, self.now)
        self._drain(member)

    def _pass(self, link: Link, data: bytes, arrive: Callable[[bytes], None]) -> None:
        """Put a datagram into a link; whenever one is due there, the next one is awaited."""
        idle = link.next_timeout() is None
        link.send(data, self.now)
        if idle:
            self._await(link, arrive)

    def _await(self, link: Link, arrive: Callable[[bytes], None]) -> None:
        due = link.next_timeout()
        if due is not None:
            self._at(due, lambda: self._arrived(link, arrive))

    def _arrived(self, link: Link, arrive: Callable[[bytes], None]) -> None:
        while (data := link.receive(self.now)) is not None:
            arrive(data)
        self._await(link, arrive)


_EXECUTE = f'{{"op":{int(Opcode.DAVE_EXECUTE_TRANSITION)},'
_ENTERING = (Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION, Opcode.MLS_WELCOME)
