"""Run an example as its users do, on the test's gateway: ``run_example.py TASK ARGUMENT...``."""

import importlib
import json
import os
import runpy
import signal
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[4] / "examples"

# What a shell runs in the background ignores Ctrl-C, and so would this.
signal.signal(signal.SIGINT, signal.default_int_handler)
task = json.loads(sys.argv[1])
library = importlib.import_module(task["library"])
match task["library"]:
    case "hikari":
        library.urls.REST_API_URL = task["rest_url"]
    case "interactions":
        library.api.http.route.Route.BASE = task["rest_url"]
    case _:
        from discord_like import point

        point(library, task)
os.environ["DISCORD_TOKEN"] = task["token"]
script = str(EXAMPLES / task["example"])
sys.argv = [script, *sys.argv[2:]]
runpy.run_path(script, run_name="__main__")
