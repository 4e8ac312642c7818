"""The benchmarks of voicekit: ``python -m bench`` from a checkout.

Not part of the package: nothing here is installed by a wheel. `docs/performance.md` says
what is measured, how, and what came out.
"""
