"""The command line of the plain server."""

import argparse
from dataclasses import dataclass

from ciphers import AES, XCHACHA

OFFERS = {"aes": [AES], "xchacha": [XCHACHA], "any": [AES, XCHACHA]}


@dataclass
class Fault:
    """What to do to a user, once, some seconds after the first session description."""

    kind: str  # "close", "drop" or "stop-acks"
    code: int
    after: float
    user_id: int | None  # None: every user

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Parse ``close:CODE@SECONDS``, ``drop@SECONDS`` or ``stop-acks@SECONDS``.

        ``,user=ID`` before the ``@`` strikes that user only.
        """
        what, _, after = text.partition("@")
        what, _, user = what.partition(",user=")
        kind, _, code = what.partition(":")
        if kind not in ("close", "drop", "stop-acks") or (kind == "close") != bool(code):
            raise ValueError(text)
        return cls(kind, int(code or 0), float(after), int(user) if user else None)


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="A plain voice server for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--ws-port", type=int, default=0)
    parser.add_argument("--udp-port", type=int, default=0)
    parser.add_argument("--mode", choices=OFFERS, default="any")
    parser.add_argument("--dave", choices=("on", "off", "required"), default="on")
    parser.add_argument("--channel-id", type=int, help="of clients that name none")
    parser.add_argument("--token", help="the only token accepted (default: any)")
    parser.add_argument("--tls", action="store_true", help="wss://, with a certificate made now")
    parser.add_argument("--tls-cert", metavar="FILE")
    parser.add_argument("--tls-key", metavar="FILE")
    parser.add_argument("--heartbeat", type=float, default=13750.0, metavar="MILLISECONDS")
    parser.add_argument("--resume-window", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--decorate", action="store_true", help="forward with extension, padding")
    parser.add_argument(
        "--fault",
        type=Fault.parse,
        action="append",
        default=[],
        metavar="close:CODE@SECONDS | drop@SECONDS | stop-acks@SECONDS",
        help="once per user, counted from the first session description",
    )
    parser.add_argument("--json", action="store_true", help="accepted: the output is always JSON")
    return parser.parse_args()
