"""Dialling a voice server: how long it may take, and what it ended in."""

import ssl

from websockets.exceptions import InvalidMessage, WebSocketException

__all__ = ["DIAL_ERRORS", "DIAL_TIMEOUT", "explain"]

#: For TCP, TLS and the HTTP upgrade of one try. Several fit into `Config.connect_timeout`.
DIAL_TIMEOUT = 10.0

#: What dialling a server can end in. ValueError: a URL that is none.
DIAL_ERRORS = (OSError, ValueError, WebSocketException)


def explain(error: BaseException) -> str:
    """Say in one line what really happened: libraries wrap it twice."""
    if isinstance(error, InvalidMessage):
        return "no WebSocket server answers there; is it one with TLS (wss://)?"
    while not isinstance(error, TimeoutError):
        cause = error.__cause__
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if cause is None:
            break
        error = cause
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is not trusted: {error.verify_message}"
            " (ssl_context, or --ca-file, says whom to trust)"
        )
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed ({error.reason}); is it a server without TLS (ws://)?"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return f"no answer within {DIAL_TIMEOUT:g} s"
    return str(error) or type(error).__name__
