from .._datagrams import DatagramBatch

__all__ = ["BATCHED", "drain", "drain_singly"]

BATCHED: bool

def drain(fd: int, batch: DatagramBatch) -> int: ...
def drain_singly(fd: int, batch: DatagramBatch) -> int: ...
