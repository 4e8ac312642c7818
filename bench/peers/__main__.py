"""`python -m bench.peers`: makes the environments that are missing, and names the workers."""

import argparse
import sys

from ..options import CHECKOUT
from ..peer_process import Peers, peers_directory
from .environments import make


def main() -> int:
    """Make what is missing, start every worker once; 1 if anything failed."""
    argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__).parse_args()
    made = make(peers_directory(CHECKOUT))
    peers = Peers.found(CHECKOUT)
    try:
        for peer in peers.all():
            print(f"{peer}: {', '.join(sorted(peer.work))}")
            for work, why in peer.lacks.items():
                print(f"    not {work}: {why}")
    finally:
        peers.close()
    for failure in peers.failures:
        print(failure, file=sys.stderr)
    return 0 if made and not peers.failures else 1


if __name__ == "__main__":
    sys.exit(main())
