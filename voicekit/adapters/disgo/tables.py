"""Constants, the states of a gateway, and what follows from a close code."""

from enum import IntEnum
from typing import Final

from ..._rtp import HEADER_SIZE
from ...close_codes import CLOSE_CODES, close_code
from ...codes import SILENCE_FRAME
from ...gateway_states import GatewayState
from ...media.pcm import FRAME_BYTES

__all__ = [
    "GATEWAY_CLOSE_EVENT_CODES",
    "OPUS_FRAME_SIZE",
    "OPUS_FRAME_SIZE_BYTES",
    "OPUS_FRAME_SIZE_MS",
    "OPUS_PACKET_HEADER_SIZE",
    "PROTOCOL_UDP",
    "SILENCE_AUDIO_FRAME",
    "UDP_TIMEOUT",
    "Status",
    "gateway_close_event_code_by_code",
    "status_of",
]

OPUS_FRAME_SIZE_MS: Final = 20
OPUS_FRAME_SIZE: Final = 960  #: samples
OPUS_FRAME_SIZE_BYTES: Final = FRAME_BYTES
OPUS_PACKET_HEADER_SIZE: Final = HEADER_SIZE
#: How long opening or reading a `UDPConn` may take, in seconds.
UDP_TIMEOUT: Final = 30.0
SILENCE_AUDIO_FRAME: Final = SILENCE_FRAME
PROTOCOL_UDP: Final = "udp"

#: Code, description, explanation, and whether it `reconnects`.
GATEWAY_CLOSE_EVENT_CODES: Final = CLOSE_CODES
#: Look a code up; one that nobody knows reconnects.
gateway_close_event_code_by_code: Final = close_code


class Status(IntEnum):
    """Where a gateway stands."""

    UNCONNECTED = 0
    CONNECTING = 1
    WAITING_FOR_HELLO = 2  #: not used: we identify without waiting for it
    IDENTIFYING = 3
    RESUMING = 4
    WAITING_FOR_READY = 5
    READY = 6
    DISCONNECTED = 7


_STATUS = {
    GatewayState.IDLE: Status.UNCONNECTED,
    GatewayState.DIALLING: Status.CONNECTING,
    GatewayState.IDENTIFYING: Status.WAITING_FOR_READY,
    GatewayState.SELECTING: Status.READY,
    GatewayState.DESCRIBING: Status.READY,
    GatewayState.OPEN: Status.READY,
    GatewayState.BACKING_OFF: Status.DISCONNECTED,
    GatewayState.RESUME_BACKING_OFF: Status.DISCONNECTED,
    GatewayState.RESUME_DIALLING: Status.CONNECTING,
    GatewayState.RESUMING: Status.RESUMING,
    GatewayState.AWAITING_UPDATE: Status.DISCONNECTED,
    GatewayState.AWAITING_SESSION: Status.DISCONNECTED,
    GatewayState.CLOSED: Status.DISCONNECTED,
}


def status_of(state: GatewayState) -> Status:
    """Return the `Status` of a state of voicekit's gateway."""
    return _STATUS[state]
