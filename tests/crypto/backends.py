"""Which modes and backends to expect, judged without asking voicekit."""

import os
import platform
import re
from pathlib import Path

import nacl

AES = "aead_aes256_gcm_rtpsize"
XCHACHA = "aead_xchacha20_poly1305_rtpsize"
KEY = bytes(range(32))

PYNACL = tuple(int(part) for part in re.findall(r"\d+", nacl.__version__)[:2])
PORTABLE = os.environ.get("VOICEKIT_PORTABLE") == "1"


def has_aes() -> bool:
    """PyNaCl has AES-256-GCM from 1.6 on, where the processor has instructions for it."""
    if PYNACL < (1, 6):
        return False
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.machine() in ("x86_64", "AMD64", "arm64", "aarch64")
    flags = set(cpuinfo.read_text().split())
    return {"aes", "pclmulqdq"} <= flags or {"aes", "pmull"} <= flags


MODES = (AES, XCHACHA) if has_aes() else (XCHACHA,)

#: (mode, what to ask for, what to get)
BACKENDS = [(mode, backend, backend) for mode in MODES for backend in ("combined", "bindings")] + [
    (XCHACHA, "auto", "combined" if PORTABLE else "composed")
]
if has_aes():
    BACKENDS.append((AES, "auto", "combined" if PORTABLE else "afternm"))
