from typing_extensions import disjoint_base

from .._sender import Borrower

__all__ = ["Schedule"]

# Its methods are for other Cython modules.
@disjoint_base
class Schedule(Borrower): ...
