from typing_extensions import disjoint_base

__all__ = ["Wheel"]

# Its methods are for other Cython modules.
@disjoint_base
class Wheel: ...
