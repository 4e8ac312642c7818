"""Somebody turns a camera on, and listening dies (discord-ext-voice-recv#49).

Video and RTCP arrive on the same socket. RTCP is told by byte 1 alone (192 to 223, RFC 5761),
video by its payload type; neither reaches the audio path, and neither is an error.
Item 25 of the list of what users suffer from.
"""

import pytest

from voicekit._crypto import TransportCipher
from voicekit._rtcp import build_compound, open_rtcp, parse_compound, seal_rtcp
from voicekit._rtp import PacketKind, demux, open_packet, seal_packet
from voicekit.codes import DropReason
from voicekit.errors import InvalidPacket
from voicekit.rtcp import Feedback, ReceiverReport, SenderReport

CIPHER = TransportCipher("aead_xchacha20_poly1305_rtpsize", bytes(32))
VIDEO_TYPES = [101, 102, 103, 104, 105, 106, 107, 108]  # H.264, VP8, VP9, AV1 and their RTX


@pytest.mark.parametrize("marker", [False, True])
@pytest.mark.parametrize("payload_type", VIDEO_TYPES)
def test_video_is_dropped_by_its_payload_type(payload_type, marker):
    data = seal_packet(
        CIPHER,
        sequence=1,
        timestamp=1,
        ssrc=1,
        payload_type=payload_type,
        marker=marker,  # the end of a picture
        payload=bytes(1200),
    )
    assert demux(data) is PacketKind.RTP
    with pytest.raises(InvalidPacket) as caught:
        open_packet(CIPHER, data)
    assert caught.value.reason is DropReason.PAYLOAD_TYPE


@pytest.mark.parametrize(
    "packet",
    [
        SenderReport(1, 2**63, 3, 4, 5),  # "unexpected rtcp packet: type=200"
        ReceiverReport(1),
        Feedback(205, 15, 1, 2, bytes(8)),
        Feedback(206, 1, 1, 2),
    ],
)
def test_rtcp_is_rtcp_and_readable(packet):
    data = seal_rtcp(CIPHER, build_compound([packet]))
    assert demux(data) is PacketKind.RTCP
    assert parse_compound(open_rtcp(CIPHER, data)) == (packet,)
    with pytest.raises(InvalidPacket) as caught:
        open_packet(CIPHER, data)
    assert caught.value.reason is DropReason.PAYLOAD_TYPE
