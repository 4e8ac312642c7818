"""A member of an MLS group in davey, the library of discord.py and py-cord."""

from collections.abc import Callable

import davey

__all__ = ["DaveyMember"]

BEGIN = 4
EXTERNAL_SENDER, KEY_PACKAGE, PROPOSALS, COMMIT_WELCOME, COMMIT, WELCOME = range(25, 31)
VERSION = 1


class DaveyMember:
    """Takes op 4 (begin), 25, 27, 29 and 30."""

    def __init__(self) -> None:
        self._session: davey.DaveSession
        #: Is told of the session when there is one.
        self.tell: Callable[[davey.DaveSession], object] = lambda session: None

    def receive(self, op: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Take a message; return the answers."""
        if op == BEGIN:
            group, user = (int.from_bytes(part, "big") for part in (payload[:8], payload[8:]))
            self._session = davey.DaveSession(VERSION, user, group)
        elif op == EXTERNAL_SENDER:
            self._session.set_external_sender(payload)
            return [(KEY_PACKAGE, self._session.get_serialized_key_package())]
        elif op == PROPOSALS:
            kind = davey.ProposalsOperationType.revoke if payload[0] else None
            kind = kind or davey.ProposalsOperationType.append
            answer = self._session.process_proposals(kind, payload[1:])
            return [(COMMIT_WELCOME, answer.commit + (answer.welcome or b""))] if answer else []
        else:
            # Before both goes the id of the transition.
            process = {COMMIT: self._session.process_commit, WELCOME: self._session.process_welcome}
            process[op](payload[2:])
            self.tell(self._session)
        return []
