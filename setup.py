"""Extension modules and compiler directives; everything else is in pyproject.toml.

Environment variables read at build time:

``VOICEKIT_PORTABLE=1``  take the road of macOS and Windows: no platform call that
                         only Linux has, no compiler builtin (see ``_platform.h``)
``VOICEKIT_SANITIZE=1``  build with AddressSanitizer and UBSan (the fuzz suite does);
                         ``thread``: with ThreadSanitizer (the pacer's tests do)
"""

import os
import shutil
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.install_lib import install_lib

MODULES = [
    "_batches",
    "_crypto",
    "_datagrams",
    "_datapath",
    "_delays",
    "_extensions",
    "_frame",
    "_frame_gate",
    "_gateway",
    "_jitter",
    "_opus",
    "_outbox",
    "_receiver",
    "_reception",
    "_rtcp",
    "_rtp",
    "_sender",
    "_session",
    "_sodium",
    "_xchacha",
    "media._gain",
    "media._loudness",
    "media._mix",
    "media.player._pieces",
    "media.player._short_way",
    "net._udp",
    "pacer._lateness",
    "pacer._loop",
    "pacer._native",
    "pacer._notifier",
    "pacer._schedule",
    "pacer._stream",
    "pacer._wheel",
]
PORTABLE = os.environ.get("VOICEKIT_PORTABLE") == "1"
if sys.platform == "linux" and not PORTABLE:
    MODULES += ["net._relay"]

#: What every module is built again for.
DEPENDS = [
    "voicekit/_platform.h",
    "voicekit/_wire.pxd",
    "voicekit/net/_receive.h",
    "voicekit/pacer/_threads.h",
]

macros: list[tuple[str, str | None]] = []
compile_args: list[str] = []
link_args: list[str] = []

if sys.platform != "win32":
    compile_args += ["-O2", "-Wall", "-Wextra"]
if PORTABLE:
    macros.append(("VOICEKIT_PORTABLE", "1"))
SANITIZERS = {
    "1": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    "thread": ["-fsanitize=thread"],
}
if (sanitizers := SANITIZERS.get(os.environ.get("VOICEKIT_SANITIZE", ""))) is not None:
    # Lines in reports, and a build in a third of the time.
    compile_args += ["-g1", "-Og", "-fno-omit-frame-pointer", *sanitizers]
    link_args += sanitizers


def extension(name: str) -> Extension:
    """Return the extension module of ``package.name``, with the settings of all of them."""
    return Extension(
        name,
        [f"{name.replace('.', '/')}.pyx"],
        include_dirs=["voicekit"],
        depends=DEPENDS,
        define_macros=macros,
        extra_compile_args=compile_args,
        extra_link_args=link_args,
        libraries=["ws2_32"] if sys.platform == "win32" else [],
    )


names = [f"voicekit.{name}" for name in MODULES]
# The loops of the benchmarks: for checkouts (`pip install -e`, `build_ext --inplace`) alone. A
# wheel installs `voicekit` and nothing beside it.
in_place = "editable_wheel" in sys.argv or "--inplace" in sys.argv or "-i" in sys.argv
if in_place and os.path.exists("bench/_limit.pyx"):
    names.append("bench._limit")


class InstallLib(install_lib):
    """Installs `voicekit` alone: an in-place build has left the other in the build directory."""

    def install(self) -> list[str] | None:
        """Copy what was built."""
        shutil.rmtree(os.path.join(self.build_dir, "bench"), ignore_errors=True)
        return super().install()


setup(
    cmdclass={"install_lib": InstallLib},
    options={"build_ext": {"parallel": os.cpu_count()}},
    ext_modules=cythonize(
        [extension(name) for name in names],
        compiler_directives={
            "language_level": 3,
            "embedsignature": True,
            "cdivision": True,
        },
    ),
)
