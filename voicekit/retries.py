"""Whether, how often and how soon a lost link is dialled again."""

from random import Random

from .close_codes import CLOSE_CODES, UNKNOWN_CODE_STEPS, ClosePolicy, close_code
from .config import Config

__all__ = ["Retries"]

#: Doubling stops here at the latest; 0.25 s would be 34 years by then.
MAX_DOUBLINGS = 32


class Retries:
    """Budget, exponential back-off with jitter, and what unknown close codes have led to."""

    def __init__(self, config: Config, random: Random) -> None:
        self._config = config
        self._random = random
        self._unknown_codes = 0
        self.pauses = 0  #: since the last success
        self.dials = 0  #: since the last success

    @property
    def is_spent(self) -> bool:
        """Whether `Config.max_attempts` dials in a row have failed."""
        return self.dials >= self._config.max_attempts

    def reset(self) -> None:
        """Start over: the session stands, or the host brought something new."""
        self.pauses = 0
        self.dials = 0

    def forget_unknown_codes(self) -> None:
        """Treat the next unknown close code as the first."""
        self._unknown_codes = 0

    def policy(self, code: int | None) -> ClosePolicy:
        """Return what to do about a link that was closed with ``code``."""
        if code is None or code in CLOSE_CODES:
            return close_code(code).policy
        step = min(self._unknown_codes, len(UNKNOWN_CODE_STEPS) - 1)
        self._unknown_codes += 1
        return UNKNOWN_CODE_STEPS[step]

    def next_pause(self) -> float:
        """Return how long to wait before the next dial: 0.25, 0.5, 1, 2 ... 10 s by default."""
        config = self._config
        pause = config.backoff_min * 2.0 ** min(self.pauses, MAX_DOUBLINGS)
        self.pauses += 1
        jitter = 1 + config.backoff_jitter * self._random.uniform(-1, 1)
        return min(pause, config.backoff_max) * jitter
