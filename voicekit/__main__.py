"""``python -m voicekit`` is the command line."""

from .cli import main

main()
