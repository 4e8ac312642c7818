from .._sender import Borrower

__all__ = ["Schedule"]

# Its methods are for other Cython modules.
class Schedule(Borrower): ...
