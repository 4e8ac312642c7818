"""What follows when a stream is late, and what it is doing: the names of both."""

import enum

__all__ = ["LatePolicy", "StreamState"]


class LatePolicy(enum.Enum):
    """What to do with frames that are late by their own duration or more.

    Less is made up for. Whatever the policy, two packets of a stream are never closer than
    half a frame: there is no burst.
    """

    #: Move the schedule: all that follows comes as much later, in whole periods of 20 ms.
    #: Nothing is lost.
    REBASE = 0
    #: Keep the schedule: leave out the frames whose time has passed. For live sources.
    SKIP = 1
    #: Send at twice the speed until the schedule is met, for at most 60 ms; REBASE the rest.
    CATCH_UP = 2


class StreamState(enum.Enum):
    """What a stream is doing."""

    IDLE = "idle"  #: nothing to send
    PLAYING = "playing"
    STARVED = "starved"  #: there was no frame when one was due: silence goes out
    PAUSED = "paused"
    FINISHING = "finishing"  #: the rest of its frames, then silence, then `Finished`
    FROZEN = "frozen"  #: between two sessions: waits for `rebind`
    REMOVED = "removed"
