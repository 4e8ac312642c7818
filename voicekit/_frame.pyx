"""`AudioFrame`: one received Opus packet and what its RTP packet said about it."""

cimport cython

__all__ = ["AudioFrame"]


@cython.final
@cython.freelist(64)  # as many as wait in an ordinary call's queues
cdef class AudioFrame:
    """One Opus packet of one user. Immutable, comparable, picklable.

    * ``user_id``: who sent it.
    * ``ssrc``: the RTP stream it came in; a user who rejoins has a new one.
    * ``opus``: the packet, after all decryption.
    * ``sequence``: the RTP sequence number, extended: it does not wrap.
    * ``rtp_time``: the RTP timestamp at 48 kHz, extended. Its start is random.
    * ``duration``: samples at 48 kHz (RFC 6716 §3.1), 0 if the packet is not valid Opus.
    * ``marker``: the RTP marker bit.
    * ``audio_level``: loudness in -dBov, 0 (loudest) to 127 (silence), or None (RFC 6464).
    * ``speaker_flags``: `voicekit.codes.SpeakingFlags` from the header extension, or None.
    * ``e2ee``: whether it came with end-to-end encryption.
    * ``arrived``: the ``now`` of its datagram, also if it was held for a while.
    * ``lost_before``: packets missing just before it when it arrived.
    """

    def __init__(self, user_id, ssrc, bytes opus not None, sequence=0, rtp_time=0, duration=960,
                 marker=False, audio_level=None, speaker_flags=None, e2ee=False,
                 arrived=0.0, lost_before=0):
        if self.opus is not None:
            raise TypeError("an AudioFrame is immutable")
        self.user_id = user_id
        self.ssrc = ssrc
        self.sequence = sequence
        self.rtp_time = rtp_time
        self.duration = duration
        self.marker = marker
        self._audio_level = -1 if audio_level is None else audio_level
        self._speaker_flags = -1 if speaker_flags is None else speaker_flags
        self.e2ee = e2ee
        self.arrived = arrived
        self.lost_before = lost_before
        self.opus = opus

    @property
    def audio_level(self):
        """Loudness in -dBov, 0 (loudest) to 127 (silence); None where the sender did not say."""
        return None if self._audio_level < 0 else self._audio_level

    @property
    def speaker_flags(self):
        """`voicekit.codes.SpeakingFlags` from the header extension; None where absent."""
        return None if self._speaker_flags < 0 else self._speaker_flags

    cdef tuple _fields(self):
        """Every value, in the order of the constructor's arguments."""
        return (
            self.user_id, self.ssrc, self.opus, self.sequence, self.rtp_time, self.duration,
            self.marker, self.audio_level, self.speaker_flags, self.e2ee, self.arrived,
            self.lost_before,
        )

    def __eq__(self, other):
        if not isinstance(other, AudioFrame):
            return NotImplemented
        return self._fields() == (<AudioFrame> other)._fields()

    def __hash__(self):
        return hash((self.ssrc, self.sequence, self.opus))

    def __reduce__(self):
        return AudioFrame, self._fields()

    def __repr__(self):
        return (
            f"AudioFrame(user_id={self.user_id}, ssrc={self.ssrc},"
            f" opus=<{len(self.opus)} bytes>, sequence={self.sequence},"
            f" rtp_time={self.rtp_time}, duration={self.duration})"
        )
