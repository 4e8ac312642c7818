from typing_extensions import Buffer, disjoint_base

__all__ = ["LoudnessMeter"]

@disjoint_base
class LoudnessMeter:
    def push(self, pcm: Buffer) -> None: ...
    @property
    def integrated(self) -> float: ...
    @property
    def peak(self) -> float: ...
