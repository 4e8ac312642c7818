__all__ = ["Wheel"]

# Its methods are for other Cython modules.
class Wheel: ...
