"""Settings of `Ticker` and `Utterances`, each with its reason. Times are in seconds."""

import math

import msgspec

from ...config import JitterConfig

__all__ = ["ListenConfig"]


class ListenConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a call is listened to. Immutable; a wrong value raises ``ValueError`` at once."""

    #: Of the buffer that every speaker has.
    jitter: JitterConfig = JitterConfig()
    #: Nothing but silence for this long ends an utterance: pauses between the words of a sentence
    #: are below 0.5, and who waits for an answer notices a second. None: silence never ends it.
    silence: float | None = 0.8
    #: No packets at all for this long end it. Silence that is sent keeps it open, so that it is
    #: for senders that are silent for seconds in one take. None: only ``silence`` does.
    inactivity: float | None = None
    #: A frame is silent if its header says that it is this quiet, in -dBov (RFC 6464). 127: that
    #: there is nothing in it. A room with a fan is at 60 to 70.
    quiet_level: int = 127
    #: Without a word of silence, somebody who stops is still speaking for this long: what is
    #: late may come. As long as `Config.speaking_timeout`, and as a decoder makes something up.
    patience: float = 0.2
    #: What was learnt of the way to a speaker who is silent is kept for this long, as songbird
    #: has it.
    forget_after: float = 60.0
    #: Speakers at once; beyond, whoever was silent for longest is forgotten. Voice channels hold
    #: 99; each costs 2 KB, with PCM 30.
    max_speakers: int = 128
    #: Channels of PCM. A decoder makes two of one and one of two.
    channels: int = 2

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if self.silence is None and self.inactivity is None:
            raise ValueError("silence or inactivity ends an utterance: at least one is a number")
        for name in ("silence", "inactivity", "patience", "forget_after"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is a finite number above 0, not {value!r}")
        if not 1 <= self.quiet_level <= 127:
            raise ValueError("quiet_level is 1 to 127")
        if self.max_speakers < 1:
            raise ValueError("max_speakers is at least 1")
        if self.channels not in (1, 2):
            raise ValueError("channels is 1 or 2")
