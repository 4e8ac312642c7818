"""Messages in the wrong order, or twice: what stands between the server and one socket."""

__all__ = ["Mischief"]


class Mischief:
    """Faults that wait for the next messages of one socket."""

    def __init__(self) -> None:
        self.duplicates = 0  #: this many messages to come are sent twice
        self.reverse = 0  #: this many messages to come are collected and sent in reverse
        self._held: list[str | bytes] = []

    def apply(self, message: str | bytes) -> list[str | bytes]:
        """Return what to send now that ``message`` is due."""
        messages = [message]
        if self.duplicates:
            self.duplicates -= 1
            messages.append(message)
        if not self.reverse:
            return messages
        self._held += messages
        self.reverse -= 1
        return [] if self.reverse else self.flush()

    def flush(self) -> list[str | bytes]:
        """Stop collecting; return what is held, the newest first."""
        self.reverse = 0
        held, self._held = self._held[::-1], []
        return held
