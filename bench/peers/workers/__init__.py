"""The workers: each runs in its peer's environment and needs nothing else. See `peer_worker`."""
