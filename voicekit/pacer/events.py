"""What `Stream.poll` reports. Past tense: it has happened."""

import msgspec

__all__ = ["Finished", "KeyExhausted", "SocketFailed", "StreamEvent", "Underrun"]


class Underrun(msgspec.Struct, frozen=True):
    """There was no frame when one was due. Silence goes out; the next frame ends it."""

    position: int  #: frames that the stream had before it


class Finished(msgspec.Struct, frozen=True):
    """The last frame asked for by `finish` or `stop` is out, and the silence after it."""

    position: int  #: frames of the stream


class SocketFailed(msgspec.Struct, frozen=True):
    """The operating system did not take packets. The stream goes on."""

    errno: int  #: of the first one
    count: int  #: packets so lost since the stream was added


class KeyExhausted(msgspec.Struct, frozen=True):
    """Every nonce of the transport key is used: the stream is frozen until it has a new key."""

    position: int  #: the frame with which it goes on


StreamEvent = Underrun | Finished | SocketFailed | KeyExhausted
