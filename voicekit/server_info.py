"""What is needed to join one call: the six values that the host's gateway hands out."""

import msgspec

__all__ = ["VoiceServerInfo", "websocket_url"]


class VoiceServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and as whom. Plain and picklable; the repr hides the secrets.

    ``endpoint`` is opaque: ``host:port``, or with a scheme (``wss://``, and ``ws://`` for
    tests). It is None while the server is gone (protocol: wait for the next update).
    """

    endpoint: str | None
    server_id: int
    channel_id: int
    user_id: int
    session_id: str
    token: str

    def __repr__(self) -> str:
        return (
            f"VoiceServerInfo(endpoint={self.endpoint!r}, server_id={self.server_id},"
            f" channel_id={self.channel_id}, user_id={self.user_id},"
            " session_id=<hidden>, token=<hidden>)"
        )


def websocket_url(endpoint: str, version: int) -> str:
    """Return the URL to dial for ``endpoint``: the port is never touched.

    Stripping ``:443`` or any other port has been the cause of endless 4006 loops.
    """
    base = endpoint if endpoint.startswith(("ws://", "wss://")) else f"wss://{endpoint}"
    return f"{base.rstrip('/')}/?v={version}"
