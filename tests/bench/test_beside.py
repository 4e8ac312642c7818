"""Rows of other libraries beside ours: the same work, or what comes nearest and says so."""

from collections.abc import Callable

from bench.beside import Beside
from bench.rounds import Timing

OURS = Timing((100e-9,))
CAN = {
    "a lib 1.0": {"seal/aes", "seal/xchacha"},
    "b-lib 2": {"seal/xchacha"},
    "c 3": {"opus/encode"},
}
LACKS = {"b-lib 2": {"seal/aes": "it has no AES"}}


class FakePeers:
    def work(self, name: str) -> dict[str, Callable[[int], float]]:
        return {peer: lambda n: n * 1e-6 for peer, can in CAN.items() if name in can}

    def lacking(self, name: str) -> dict[str, str]:
        return {peer: lacks[name] for peer, lacks in LACKS.items() if name in lacks}


def rows(name: str, **budgets: str):
    beside = Beside(FakePeers(), name)
    found = {key: Timing((work(1),)) for key, work in beside.work.items()}
    made = list(beside.rows("seal", "a packet", found, OURS, budgets=budgets))
    assert all(row.ours == 100 and row.value == 1000 for row in made)
    return {row.peer: (row.note, row.budget) for row in made}


def test_who_can_stands_there_without_a_note():
    assert rows("seal/xchacha") == {"a lib 1.0": ("", ""), "b-lib 2": ("", "")}


def test_who_lacks_the_cipher_shows_the_other_and_says_so():
    assert rows("seal/aes") == {
        "a lib 1.0": ("", ""),
        "b-lib 2": ("XChaCha20: it has no AES", ""),
    }


def test_a_budget_is_that_of_the_library_whatever_its_version():
    assert rows("seal/xchacha", **{"a lib": "x"}) == {
        "a lib 1.0": ("", "x"),
        "b-lib 2": ("", ""),
    }


def test_work_without_a_cipher_has_no_other():
    assert rows("opus/encode") == {"c 3": ("", "")}
