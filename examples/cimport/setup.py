"""Build `relay.pyx` against an installed voicekit: python setup.py build_ext --inplace."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import voicekit

# The .pxd files are found where voicekit is installed; their C headers have to be told.
HEADERS = str(Path(voicekit.__file__).parent)

setup(
    name="relay",
    ext_modules=cythonize(
        [Extension("relay", ["relay.pyx"], include_dirs=[HEADERS])],
        language_level=3,
    ),
)
