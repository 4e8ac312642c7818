"""discord-ext-voice-recv: what its reader does with a datagram, up to the queue behind it.

The packet is parsed and decrypted, its user looked up, and the start of speaking noticed: what
voicekit does. Reordering and everything in the other threads is left out, the threads too.
"""

from collections import deque
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from discord.ext.voice_recv.reader import AudioReader, PacketDecryptor, SpeakingTimer

from ...peer_worker import KEY, Task, serve
from .sending import NO_AES

MODE = "aead_xchacha20_poly1305_rtpsize"
SSRC, USER = 1, 2


def opened() -> Task:
    """Return the work of a reader that was never started: no thread takes what it hands on."""
    members = SimpleNamespace(get_member=lambda user: None)
    client = SimpleNamespace(_ssrc_to_id={SSRC: USER}, guild=members)
    client._get_id_from_ssrc = client._ssrc_to_id.get
    received: deque[Any] = deque(maxlen=1)
    reader = AudioReader.__new__(AudioReader)
    reader.voice_client = client
    reader.error = None
    reader.decryptor = PacketDecryptor(MODE, KEY)
    reader.speaking_timer = SpeakingTimer(reader)
    reader.packet_router = SimpleNamespace(feed_rtp=received.append)
    return Task("read(data)", lambda _: bytes(received[0].decrypted_data), read=reader.callback)


if __name__ == "__main__":
    serve(
        "discord-ext-voice-recv",
        version("discord-ext-voice-recv"),
        {"open/xchacha": opened(), "open+extension/xchacha": opened()},
        {"open/aes": NO_AES, "open+extension/aes": NO_AES},
    )
