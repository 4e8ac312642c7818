"""`RtpSession` alone: framing and transport encryption, without a gateway.

Two ends of one key seal and open each other's audio. Run: ``python examples/rtp_session.py``
"""

import secrets

from voicekit import RtpSession, available_modes

MODE = available_modes()[0]
KEY = secrets.token_bytes(32)
OPUS = b"\xfc" + bytes(80)  # one 20 ms frame: TOC FC is CELT, full band, stereo

alice, bob = RtpSession(ssrc=1111), RtpSession(ssrc=2222)
alice.set_key(MODE, KEY)
bob.set_key(MODE, KEY, nonce_start=2**31)  # two directions, one key: count apart
bob.map_ssrc(1111, user_id=7, now=0.0)  # what a Speaking message tells

for number in range(3):
    now = number * 0.02
    datagram = alice.seal_audio(OPUS, now)
    assert datagram is not None
    frame = bob.receive(datagram, now)
    assert frame is not None
    print(f"user {frame.user_id}: {len(frame.opus)} bytes, {frame.duration} samples, {MODE}")

assert bob.receive(datagram, 0.06) is None  # nothing is delivered twice
print("dropped:", bob.drops)
