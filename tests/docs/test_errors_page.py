"""docs/errors.md has every exception there is, and each one a test that provokes it."""

import re

import pytest

from tests.gateway.driver import reach
from voicekit import errors
from voicekit.errors import (
    AuthenticationFailed,
    CallClosed,
    EncryptionRequired,
    ProtocolRejected,
    RateLimited,
)
from voicekit.events import Closed
from voicekit.gateway_states import GatewayState
from voicekit.opus import OpusError, OpusNotFound

from .references import REFERENCE, functions_of, missing_tests, rows_of

PAGE = "errors.md"
ERRORS = [*(getattr(errors, name) for name in errors.__all__), OpusNotFound, OpusError]
#: Those that are bases only.
UNSHOWN = (errors.VoicekitError, errors.RecordingError)
ROWS = {row[0].strip("`"): row for row in rows_of(PAGE) if row[0].startswith("`")}


def test_every_exception_has_a_row_and_every_row_an_exception() -> None:
    assert set(ROWS) == {error.__name__ for error in ERRORS}


def test_every_test_is_there() -> None:
    assert missing_tests(PAGE) == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_a_row_is_true(error: type[Exception]) -> None:
    _, bases, _, _, shown = ROWS[error.__name__]
    named = re.findall(r"`(\w+)`", bases)
    assert named == [
        base.__name__ for base in error.__bases__ if base.__module__ != "opuslib.exceptions"
    ]
    references = REFERENCE.findall(shown)
    assert references or error in UNSHOWN
    for file, name in references:
        source = functions_of(file)[name]
        assert error.__name__ in source, f"{file}::{name} says nothing of {error.__name__}"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(4004, AuthenticationFailed), (4017, EncryptionRequired), (4021, RateLimited)]
    + [(code, ProtocolRejected) for code in (4001, 4002, 4003, 4005, 4012, 4016, 4020)],
)
def test_what_the_close_codes_raise(code: int, kind: type[CallClosed]) -> None:
    driver = reach(GatewayState.OPEN)
    driver.closed(code)
    (closed,) = driver.events(Closed)
    assert type(closed.error) is kind
    assert closed.error.code == code
    assert str(code) in ROWS[kind.__name__][2]
