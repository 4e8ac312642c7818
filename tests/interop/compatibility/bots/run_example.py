"""Run an example as its users do, on the test's gateway: ``run_example.py TASK ARGUMENT...``."""

import importlib
import json
import os
import runpy
import sys
from pathlib import Path

from discord_like import point

EXAMPLES = Path(__file__).parents[4] / "examples"

task = json.loads(sys.argv[1])
point(importlib.import_module(task["library"]), task)
os.environ["DISCORD_TOKEN"] = task["token"]
script = str(EXAMPLES / task["example"])
sys.argv = [script, *sys.argv[2:]]
runpy.run_path(script, run_name="__main__")
