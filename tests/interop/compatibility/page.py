"""The table of docs/compatibility.md, which says what the tests beside this have to find."""

from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"
#: A cell for what works; any other one is a mark or a word for what does not (yet).
WORKS = "yes"


def read_table() -> dict[str, dict[str, str]]:
    """Return the cells: by scenario, then by the titles of the libraries."""
    page = PAGE.read_text(encoding="utf-8")
    lines = page[page.index("| what happens") :].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    (_, *titles), _, *body = rows
    return {row[0]: dict(zip(titles, row[1:], strict=True)) for row in body}
