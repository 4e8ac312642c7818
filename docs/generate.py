"""Write the pages that are tables of the source: ``python docs/generate.py [--check]``.

``--check`` writes nothing and fails if a page is not what the source says.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from voicekit import gateway_states
from voicekit.close_codes import CLOSE_CODES, UNKNOWN_CODE_STEPS, ClosePolicy
from voicekit.codes import Opcode
from voicekit.gateway_states import (
    CONNECTED_STATES,
    TRANSITIONS,
    GatewayInput,
    GatewayState,
    reaction,
)
from voicekit.messages import BINARY_OPS

DOCS = Path(__file__).parent
NOTE = "<!-- Made by docs/generate.py; change the source it names, not this page. -->"

POLICIES = {
    ClosePolicy.RESUME: "dial the same server again, after a pause, and resume the session;"
    " identify where there is none yet. When the server refuses, as `new_session`",
    ClosePolicy.NEW_SESSION: "`NeedNewSession`: the host leaves the channel and joins it again",
    ClosePolicy.WAIT_FOR_UPDATE: "`WaitingForUpdate`: dial nothing until the host brings another"
    " voice server; a null channel, or no update in time, ends the call",
    ClosePolicy.FATAL: "`Closed` with the error named",
}


def close_codes() -> str:
    """Return docs/close-codes.md."""
    lines = [
        "# Close codes",
        NOTE,
        "Source: `voicekit/close_codes.py`. What `close_code(n)` returns, and what the"
        " connection does when the voice gateway closes with `n`.",
        table(
            ("policy", "what happens"),
            [(f"`{policy}`", meaning) for policy, meaning in POLICIES.items()],
        ),
        table(
            ("code", "name", "policy", "error", "meaning, and what to do"),
            [
                (
                    str(row.code),
                    f"`{row.name}`",
                    f"`{row.policy}`",
                    f"`{row.error.__name__}`",
                    f"{row.description}. {row.explanation}",
                )
                for row in CLOSE_CODES.values()
            ],
        ),
        "A code that is not in the table: "
        + ", then ".join(f"`{step}`" for step in UNKNOWN_CODE_STEPS)
        + ", each once, until a heartbeat in an open session was acknowledged. No code at all"
        " (TCP error) is 1006. With `Config(reconnect=False)` every code ends the call.",
    ]
    return "\n\n".join(lines) + "\n"


def states() -> str:
    """Return docs/gateway-states.md."""
    lines = [
        "# States of the gateway connection",
        NOTE,
        "Source: `voicekit/gateway_states.py`.",
        table(
            ("state", "meaning"),
            [(f"`{state.name}`", meaning) for state, meaning in state_meanings().items()],
        ),
        "## Transitions",
        "What is not listed does not happen, or is a wrong call (`LocalProtocolError`).",
    ]
    for state in GatewayState:
        rows = [
            (cause.value, f"`{target.name}`")
            for cause in GatewayInput
            if (target := TRANSITIONS.get((state, cause))) is not None
        ]
        if rows:
            lines += [f"### {state.name}", table(("input", "next state"), rows)]
    lines += [
        "## Messages",
        "What each opcode gets while a WebSocket is open. In all other states messages are"
        " late input of a link that is gone: ignored and counted. Opcodes that are not listed"
        " come as `UnknownMessage`, raw.",
        table(
            ("op", "name", "kind", *(f"`{state.name}`" for state in CONNECTED_STATES)),
            [
                (
                    str(int(op)),
                    op.name,
                    "binary" if op in BINARY_OPS else "text",
                    *(reaction(state, op, op in BINARY_OPS) for state in CONNECTED_STATES),
                )
                for op in Opcode
            ],
        ),
    ]
    return "\n\n".join(lines) + "\n"


def state_meanings() -> dict[GatewayState, str]:
    """Read the comment after each member of `GatewayState`."""
    source = Path(gateway_states.__file__).read_text(encoding="utf-8")
    found = re.findall(r"^    ([A-Z_]+) = \d+  #: (.+)$", source, re.MULTILINE)
    return {GatewayState[name]: meaning for name, meaning in found}


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out a Markdown table."""
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


PAGES: dict[str, Callable[[], str]] = {
    "close-codes.md": close_codes,
    "gateway-states.md": states,
}


def main(check: bool) -> int:
    """Write or check all pages; return the exit code."""
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not what the source says: {', '.join(stale)}; run python docs/generate.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
