"""Clients that speak DAVE by hand: libdave's session and raw messages, nothing of voicekit's."""

from collections import deque
from collections.abc import Callable
from typing import Any

import dave

from tests.server.world import CHANNEL_ID, OPUS, Peer, World
from voicekit.server import CallStats


class DaveWorld(World):
    """A server that knows its channel, and clients that answer at once."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**({"default_channel_id": CHANNEL_ID} | config))
        self.answers: deque[Callable[[], None]] = deque()
        self._draining = False

    def drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        super().drain()
        while self.answers:
            self.answers.popleft()()
            super().drain()
        self._draining = False

    def dave_peer(self, user_id: int, **identity: Any) -> "DavePeer":
        return DavePeer(self, user_id, **identity)

    def member(self, user_id: int, **identity: Any) -> "DavePeer":
        """Return a client that speaks DAVE and has gone through the handshake."""
        return self.dave_peer(user_id, **identity).enter()

    def members(self, *user_ids: int) -> "list[DavePeer]":
        """Let clients join one after the other, each transition to its end."""
        peers = [self.member(user_id) for user_id in user_ids]
        self.run(3.0)
        return peers

    def plain(self, user_id: int) -> Peer:
        """Return a client that does not speak DAVE."""
        return self.ready(user_id=user_id)

    @property
    def call(self) -> CallStats:
        [call] = self.server.calls()
        return call


class DavePeer(Peer):
    """One client. What it does wrong or late is set by its attributes."""

    def __init__(self, world: DaveWorld, user_id: int, **identity: Any) -> None:
        super().__init__(world, user_id, **identity)
        self.answers = world.answers
        self.held: deque[Callable[[], None]] | None = None  #: see `hold`
        self.commits = True  #: answers proposals
        self.says_ready = True  #: answers 29 and 30
        self.key = dave.SignatureKeyPair.generate(1)
        self.group_id = CHANNEL_ID
        self.known = {str(user_id)}
        self.external_sender = b""
        self.dave_version: int | None = None
        self.log: list[int] = []  #: opcodes from 2 on, but for heartbeats, in order of arrival
        self.pending: dict[int, tuple[int, Any]] = {}
        self.executed: list[int] = []
        self.failures = 0
        self.encryptor: Any = None
        self.session: Any = dave.Session(None)

    def enter(self) -> "DavePeer":
        self.connect()
        self.identify()
        self.discover()
        self.select()
        return self

    def identify(self, **changes: Any) -> None:
        super().identify(**({"max_dave_protocol_version": 1} | changes))

    def hold(self) -> None:
        """Keep what it has to say until `release`."""
        self.held = deque()

    def release(self) -> None:
        assert self.held is not None
        self.answers += self.held
        self.held = None
        self.world.drain()

    # -- what comes in -------------------------------------------------------------

    def receive(self, message: dict[str, Any]) -> None:
        super().receive(message)
        op, data = message["op"], message["d"]
        self.log.append(op)
        if op == 4:
            self.dave_version = data["dave_protocol_version"]
            if self.dave_version:
                self.begin()
        elif op == 11:
            self.known |= set(data["user_ids"])
        elif op == 13:
            self.known.discard(data["user_id"])
        elif op == 21 and not data["protocol_version"]:
            self.prepare(data["transition_id"], 0, None)
        elif op == 22:
            self.execute(data["transition_id"])
        elif op == 24 and data["epoch"] == 1:
            self.begin()

    def receive_binary(self, data: bytes) -> None:
        super().receive_binary(data)
        op, payload = data[2], data[3:]
        self.log.append(op)
        if op == 25:
            self.external_sender = payload
            self.session.set_external_sender(payload)
        elif op == 27:
            answer = self.session.process_proposals(payload, self.known)
            if answer and self.commits:
                self.say_binary(28, answer)
        elif op == 29:
            self.follow(payload, self.session.process_commit(payload[2:]))
        elif op == 30:
            self.follow(payload, self.session.process_welcome(payload[2:], self.known))

    def begin(self) -> None:
        """Make a group of which only we know, and offer to join the call's."""
        self.pending.clear()
        self.session = dave.Session(None)
        self.session.init(1, self.group_id, str(self.user_id), self.key)
        if self.external_sender:
            self.session.set_external_sender(self.external_sender)
        self.say_binary(26, self.session.get_marshalled_key_package())

    def follow(self, payload: bytes, outcome: Any) -> None:
        transition_id = int.from_bytes(payload[:2], "big")
        if outcome is dave.RejectType.ignored:
            return
        if outcome is None or outcome is dave.RejectType.failed:
            self.failures += 1
            self.say(31, {"transition_id": transition_id})
            self.begin()
        else:
            ratchet = self.session.get_key_ratchet(str(self.user_id))
            self.prepare(transition_id, 1, ratchet)

    def prepare(self, transition_id: int, version: int, ratchet: Any) -> None:
        self.pending[transition_id] = (version, ratchet)
        if not transition_id:
            self.execute(0)
        elif self.says_ready:
            self.say(23, {"transition_id": transition_id})

    def execute(self, transition_id: int) -> None:
        if transition_id in self.pending:
            self.executed.append(transition_id)
            self.dave_version, ratchet = self.pending.pop(transition_id)
            if ratchet is not None:
                self.encryptor = dave.Encryptor()
                self.encryptor.assign_ssrc_to_codec(1, dave.Codec.opus)
                self.encryptor.set_key_ratchet(ratchet)

    # -- what goes out ---------------------------------------------------------------

    def say(self, op: int, data: Any) -> None:
        self._queue(lambda: self.send(op, data))

    def say_binary(self, op: int, payload: bytes) -> None:
        self._queue(lambda: self.send_binary(bytes((op,)) + payload))

    def _queue(self, answer: Callable[[], None]) -> None:
        queue = self.answers if self.held is None else self.held
        queue.append(lambda: answer() if self.closed is None else None)

    # -- what it knows ---------------------------------------------------------------

    @property
    def authenticator(self) -> bytes | None:
        """What members of one epoch have in common."""
        if not self.session.has_established_group():
            return None
        authenticator: bytes = self.session.get_last_epoch_authenticator()
        return authenticator

    def encrypt(self, opus: bytes = OPUS) -> bytes:
        frame: bytes = self.encryptor.encrypt(dave.MediaType.audio, 1, opus)
        assert frame
        return frame

    def logged(self) -> list[int]:
        """The opcodes received since the last call."""
        log, self.log = self.log, []
        return log


def assert_one_group(*peers: DavePeer) -> None:
    """All are in one epoch, and hear each other."""
    assert len({peer.authenticator for peer in peers}) == 1
    assert peers[0].authenticator is not None
    for peer in peers:
        assert peer.dave_version == 1
        frame = peer.encrypt()
        for other in peers:
            if other is not peer:
                decryptor = dave.Decryptor()
                ratchet = other.session.get_key_ratchet(str(peer.user_id))
                decryptor.transition_to_key_ratchet(ratchet, 10.0)
                assert decryptor.decrypt(dave.MediaType.audio, frame) == OPUS
