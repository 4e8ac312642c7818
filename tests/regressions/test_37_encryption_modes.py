"""Encryption modes that come and go, each time ending in an exception without advice.

discord-ext-voice-recv#26 (`NotImplementedError`); pycord PR#2651 ("Untested, please help");
disnake PR#1228, discord.py PR#9953 (PyNaCl 1.5 has no AES-GCM). Item 37 of the list of what
users suffer from.
"""

import pytest

from tests.session.peers import KEY, OURS, VOICE
from voicekit._crypto import MODES, available_modes, choose_mode
from voicekit._session import RtpSession
from voicekit.errors import ModeUnavailable

#: What servers offered over the years; most of it was removed in 2024.
RETIRED = (
    "xsalsa20_poly1305",
    "xsalsa20_poly1305_suffix",
    "xsalsa20_poly1305_lite",
    "xsalsa20_poly1305_lite_rtpsize",
    "aead_aes256_gcm",
)
TODAY = (*RETIRED, "aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize", "unknown_2027")


def test_pycord_2651_the_best_mode_of_both_is_chosen_out_of_any_offer():
    assert choose_mode(TODAY) == available_modes()[0]
    assert choose_mode(reversed(TODAY)) == available_modes()[0]


def test_discord_py_9953_without_aes_the_other_mode_is_enough():
    assert choose_mode(TODAY, ("aead_xchacha20_poly1305_rtpsize",)) == TODAY[6]


def test_voice_recv_26_retired_modes_are_refused_with_both_lists():
    with pytest.raises(ModeUnavailable) as caught:
        choose_mode(RETIRED)
    for mode in (*RETIRED, *available_modes()):
        assert mode in str(caught.value)


@pytest.mark.parametrize("mode", [*RETIRED, "unknown_2027"])
def test_voice_recv_26_a_retired_mode_is_never_set_up(mode):
    session = RtpSession(OURS)
    with pytest.raises(ModeUnavailable, match=mode):
        session.set_key(mode, KEY)
    assert session.mode is None


@pytest.mark.parametrize("mode", available_modes())
def test_every_available_mode_carries_a_call(mode):
    assert mode in MODES
    one, other = RtpSession(1), RtpSession(2)
    one.set_key(mode, KEY)
    other.set_key(mode, KEY)
    other.map_ssrc(1, 11, 0.0)
    assert other.receive(one.seal(VOICE), 0.0).opus == VOICE
