"""discord-ext-voice-recv: from a datagram to a parsed packet and its Opus.

That is the first half of what its reader does: events, timers, and the queue behind are left
out, so it is measured doing less than voicekit, which also finds the user, and counts loss.
"""

from importlib.metadata import version

from discord.ext.voice_recv import rtp
from discord.ext.voice_recv.reader import PacketDecryptor

from ...peer_worker import KEY, Task, serve
from .sending import NO_AES

decryptor = PacketDecryptor("aead_xchacha20_poly1305_rtpsize", KEY)


def opened() -> Task:
    return Task(
        "decrypt(decode(data))", bytes, decrypt=decryptor.decrypt_rtp, decode=rtp.decode_rtp
    )


if __name__ == "__main__":
    serve(
        "discord-ext-voice-recv",
        version("discord-ext-voice-recv"),
        {"open/xchacha": opened(), "open+extension/xchacha": opened()},
        {"open/aes": NO_AES, "open+extension/aes": NO_AES},
    )
