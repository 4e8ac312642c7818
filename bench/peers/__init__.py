"""Other voice libraries, measured beside voicekit: their environments, and a worker for each.

`python -m bench.peers` makes the environments in ``.bench-peers``. A worker runs its library's
own code from there; nothing of it is in this repository.
"""
