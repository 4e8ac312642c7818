import subprocess
import sys

import pytest

from voicekit._crypto import MODES as ALL_MODES
from voicekit._crypto import available_modes, choose_mode
from voicekit.errors import ModeUnavailable

from .backends import AES, MODES, PORTABLE, XCHACHA, has_aes

needs_aes = pytest.mark.skipif(not has_aes(), reason="no AES-256-GCM here")


def test_aes_comes_first_where_pynacl_and_the_processor_have_it():
    assert ALL_MODES == (AES, XCHACHA)
    assert available_modes() == MODES


@needs_aes
@pytest.mark.parametrize("offered", [[AES, XCHACHA], [XCHACHA, AES], ["other", XCHACHA, AES]])
def test_our_order_decides(offered):
    assert choose_mode(offered) == AES


def test_what_both_have_is_chosen():
    assert choose_mode(["aead_aes128_gcm", XCHACHA]) == XCHACHA
    assert choose_mode(ALL_MODES, (XCHACHA,)) == XCHACHA
    assert choose_mode(iter([XCHACHA])) == XCHACHA


@needs_aes
def test_the_allowed_modes_come_in_their_own_order():
    assert choose_mode(ALL_MODES, (XCHACHA, AES)) == XCHACHA
    assert choose_mode([AES], (XCHACHA, AES)) == AES


@pytest.mark.parametrize(
    ("offered", "allowed", "named"),
    [
        ([], None, ["offers none", XCHACHA]),
        (["xsalsa20_poly1305"], None, ["offers xsalsa20_poly1305", XCHACHA]),
        ([XCHACHA], ("no_such_mode",), [f"offers {XCHACHA}", "here: none"]),
    ],
)
def test_no_common_mode_names_both_sides(offered, allowed, named):
    with pytest.raises(ModeUnavailable) as caught:
        choose_mode(offered, allowed)
    for part in named:
        assert part in str(caught.value)


def test_an_absurd_offer_makes_no_absurd_message():
    with pytest.raises(ModeUnavailable) as caught:
        choose_mode(["x" * 4096] * 64)
    assert len(str(caught.value)) < 2000


def in_a_new_interpreter(setup: str) -> list[str]:
    """Modes and their backends as they come out after ``setup`` ran before the import."""
    code = f"""
import sys
import nacl.bindings
{setup}
from voicekit._crypto import TransportCipher, available_modes
for mode in available_modes():
    cipher = TransportCipher(mode, bytes(32))
    assert cipher.open(cipher.seal(b"header", b"payload"), 6) == b"payload"
    print(mode, cipher.backend)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def test_without_the_private_module_the_public_bindings_are_used():
    setup = "del nacl._sodium; sys.modules['nacl._sodium'] = None"
    assert in_a_new_interpreter(setup) == [f"{mode} bindings" for mode in MODES]


@needs_aes
def test_without_the_exported_functions_the_declared_ones_are_used():
    setup = "import ctypes; ctypes.CDLL = None"
    assert in_a_new_interpreter(setup) == [f"{AES} combined", f"{XCHACHA} combined"]


@needs_aes
@pytest.mark.parametrize(
    "setup",
    [
        "del nacl.bindings.crypto_aead_aes256gcm_encrypt",  # PyNaCl 1.5
        "def no(*_): raise RuntimeError\nnacl.bindings.crypto_aead_aes256gcm_encrypt = no",
    ],
    ids=["pynacl 1.5", "no AES instructions"],
)
def test_without_aes_xchacha_remains(setup):
    assert in_a_new_interpreter(setup) == [f"{XCHACHA} {'combined' if PORTABLE else 'composed'}"]
