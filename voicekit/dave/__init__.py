"""End-to-end encryption (DAVE): the seam in the connection, the state machine, the backends."""

from .backend import BACKENDS, DaveBackend, load_backend
from .identity import generate_identity, public_key
from .machine import DaveMachine
from .seam import DaveSession, Passthrough

__all__ = [
    "BACKENDS",
    "DaveBackend",
    "DaveMachine",
    "DaveSession",
    "Passthrough",
    "generate_identity",
    "load_backend",
    "public_key",
]
