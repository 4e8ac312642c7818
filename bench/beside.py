"""Peers beside one figure of ours: their part of the rounds, and a row for each."""

from collections.abc import Iterator, Mapping

from .peer_process import Peers
from .results import Row
from .rounds import Timing, Work

__all__ = ["Beside"]

#: What a peer without a cipher is measured with in its place, and how its row says so.
_OTHER = {"aes": ("xchacha", "XChaCha20"), "xchacha": ("aes", "AES")}


class Beside:
    """Everybody who does ``name``, a key of `peer_process.WORK`.

    Who lacks the cipher does it with the other one, and the row says so: there is no like to
    compare it with, but what it costs there is what its users pay.
    """

    def __init__(self, peers: Peers, name: str) -> None:
        #: To be measured in the same rounds as ours.
        self.work: dict[str, Work] = {}
        self._peers: list[tuple[str, str, str]] = []
        kind, _, cipher = name.partition("/")
        for peer, work in peers.work(name).items():
            self._add(f"{name} {peer}", work, peer, "")
        if cipher in _OTHER:
            other, label = _OTHER[cipher]
            lacking = peers.lacking(name)
            for peer, work in peers.work(f"{kind}/{other}").items():
                if peer in lacking:
                    self._add(f"{name} {peer}", work, peer, f"{label}: {lacking[peer]}")

    def rows(
        self,
        group: str,
        what: str,
        found: Mapping[str, Timing],
        ours: Timing,
        *,
        unit: str = "ns",
        budgets: Mapping[str, str] | None = None,
    ) -> Iterator[Row]:
        """Return a row for each; ``budgets`` has keys of `budgets.BUDGETS` by the peer's name."""
        for key, peer, note in self._peers:
            budget = (budgets or {}).get(peer.rpartition(" ")[0], "")
            yield Row.timed(
                group, what, found[key], unit, ours=ours, peer=peer, budget=budget, note=note
            )

    def _add(self, key: str, work: Work, peer: str, note: str) -> None:
        self.work[key] = work
        self._peers.append((key, peer, note))
