"""users.md 32: concealment and error correction of Opus are not within reach.

discordjs/opus PR#195, songbird#146. The jitter buffer says how much is missing where, and shows
the packet behind the hole; the decoder takes both.
"""

from array import array

from tests.opus.test_opus_modes import encode, voice
from voicekit import AudioFrame, JitterBuffer, Lost
from voicekit.opus import Decoder, Encoder
from voicekit.opus_packet import opus_has_fec

SAMPLES = 960


def test_the_packet_behind_a_hole_gives_it_back() -> None:
    encoder = Encoder(48_000, 1, "voip")
    encoder.bitrate = 32_000
    encoder.inband_fec, encoder.packet_loss_perc = 1, 20
    packets = encode(encoder, voice(2)[:, :1])
    gone = next(n for n in range(30, 90) if opus_has_fec(packets[n + 1]))

    buffer = JitterBuffer()
    for n, packet in enumerate(packets):
        if n != gone:
            frame = AudioFrame(1, 1, packet, n, n * SAMPLES, SAMPLES, arrived=n * 0.02)
            buffer.push(frame)
    whole, listener, guessing = (Decoder(48_000, 1) for _ in range(3))
    errors = []
    for packet in packets:
        wanted = whole.decode(packet)
        item = buffer.pop(buffer.next_timeout() or 0.0)
        if isinstance(item, Lost):
            assert (item.sequence, item.packets, item.conceal) == (gone, 1, SAMPLES)
            behind = buffer.peek()
            assert behind is not None
            assert behind.opus == packets[gone + 1]
            repeated = listener.decode(behind.opus, fec=True, frame_size=item.conceal)
            made_up = guessing.decode(None, frame_size=item.conceal)
            errors = [error(repeated, wanted), error(made_up, wanted), error(b"", wanted)]
        elif item is not None:
            assert listener.decode(item.opus) is not None
            guessing.decode(item.opus)
    repeated_error, made_up_error, silent_error = errors
    assert repeated_error < silent_error / 4
    assert repeated_error < made_up_error / 4  # it has the pitch, but not the phase


def error(pcm: bytes, wanted: bytes) -> float:
    """Return the energy of the difference; of nothing, all of it."""
    heard = array("h", pcm or bytes(len(wanted)))
    return sum((a - b) ** 2 for a, b in zip(heard, array("h", wanted), strict=True))


def energy(pcm: bytes) -> float:
    return error(b"", pcm)
