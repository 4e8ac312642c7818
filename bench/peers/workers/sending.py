"""What discord.py and py-cord have in common: the send path of a ``VoiceClient``, socketless."""

from collections import deque
from types import SimpleNamespace
from typing import Any

from ...peer_worker import KEY, Task
from .davey_member import DaveyMember

__all__ = ["LACKS", "NO_AES", "sending"]

NO_AES = "it has no AES-256-GCM"
LACKS = {"seal/aes": NO_AES, "seal+dave/aes": NO_AES}


def sending(voice_client: Any, member: DaveyMember) -> dict[str, Task]:
    """Return the work of ``send_audio_packet`` with Opus: in clear and end-to-end encrypted.

    The packet goes where the socket would be. The connection's state is a stub of plain
    attributes, which costs less than the real one.
    """
    return {
        "seal/xchacha": _task(voice_client, None),
        "seal+dave/xchacha": _task(voice_client, member),
    }


def _task(voice_client: Any, member: DaveyMember | None) -> Task:
    sent: deque[bytes] = deque(maxlen=1)
    state = _State() if member is None else _Encrypted(member)
    state.ssrc = 1
    state.mode = "aead_xchacha20_poly1305_rtpsize"
    state.secret_key = list(KEY)
    state.send_packet = sent.append
    client = voice_client.__new__(voice_client)
    client._connection = state
    client.sequence = client.timestamp = client._incr_nonce = 0
    return Task("send(data, encode=False)", lambda _: sent[0], send=client.send_audio_packet)


class _State(SimpleNamespace):
    dave_session: Any = None
    can_encrypt = False


class _Encrypted(_State):
    """The session comes with the group, later than the client."""

    can_encrypt = True

    def __init__(self, member: DaveyMember) -> None:
        super().__init__()
        member.tell = lambda session: setattr(self, "dave_session", session)
