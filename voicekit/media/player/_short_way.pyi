from collections.abc import Callable

from ._pieces import Waiting
from .events import PlayerEvent
from .filling import Ring
from .frames import Frame, State
from .rendering import Renderer
from .track import Track

__all__ = ["Filled", "Standing"]

class Standing:
    _before: State
    _last: Frame | None
    _plain: Waiting | None

class Filled:
    _renderer: Renderer
    _ring: Ring | None
    _pushed: list[Frame]
    _first: int
    _sent: Frame | None
    _incoming: Track | None
    _is_paused: bool
    _happened: list[PlayerEvent]
    _calls: list[tuple[Callable[[Exception | None], object], Exception | None]]
    def _pass_on(self) -> bool: ...
