"""disgo's voice package for those who come from it: its parts, names in Python's style, on asyncio.

    manager = disgo.Manager(send_op4, user_id)                    # voice.NewManager
    conn = manager.create_conn(guild_id)
    conn.set_opus_frame_provider(disgo.OpusReader("song.opus"))
    await conn.open(channel_id, self_mute=False, self_deaf=False)

`Conn` is a whole call, end-to-end encrypted; `Gateway` and `UDPConn` are usable apart from it, as
are `AudioSender` and `AudioReceiver`. What takes a context there is cancelled here as any task is,
what returns an error raises, and options are keyword arguments.
"""

from .audio import AudioReceiver, AudioSender, OpusFrameProvider, OpusFrameReceiver
from .conn import Conn, ConnGateway, ConnUDP
from .files import OpusReader, OpusWriter
from .gateway import Gateway
from .manager import Manager
from .tables import (
    GATEWAY_CLOSE_EVENT_CODES,
    OPUS_FRAME_SIZE,
    OPUS_FRAME_SIZE_BYTES,
    OPUS_FRAME_SIZE_MS,
    OPUS_PACKET_HEADER_SIZE,
    PROTOCOL_UDP,
    SILENCE_AUDIO_FRAME,
    UDP_TIMEOUT,
    Status,
    gateway_close_event_code_by_code,
    status_of,
)
from .udp import Packet, UDPConn

__all__ = [
    "GATEWAY_CLOSE_EVENT_CODES",
    "OPUS_FRAME_SIZE",
    "OPUS_FRAME_SIZE_BYTES",
    "OPUS_FRAME_SIZE_MS",
    "OPUS_PACKET_HEADER_SIZE",
    "PROTOCOL_UDP",
    "SILENCE_AUDIO_FRAME",
    "UDP_TIMEOUT",
    "AudioReceiver",
    "AudioSender",
    "Conn",
    "ConnGateway",
    "ConnUDP",
    "Gateway",
    "Manager",
    "OpusFrameProvider",
    "OpusFrameReceiver",
    "OpusReader",
    "OpusWriter",
    "Packet",
    "Status",
    "UDPConn",
    "gateway_close_event_code_by_code",
    "status_of",
]
