from typing_extensions import Buffer

__all__ = ["amplify"]

def amplify(pcm: Buffer, before: float, after: float, channels: int = 2) -> bytes: ...
