"""Follows a tutorial as a reader would: runs its commands and its code as printed, in order, in an empty folder.

python -m tests.docs.follow docs/tune.md
"""

import os
import re
import subprocess
import sys
import tempfile

from tests.docs.pages import ROOT, text_of

ENDLESS = "tautune board"
"""Begins what serves until it is stopped."""


def follow(page: str) -> None:
    """Runs what stands in the fences of a page. Raises CalledProcessError if something fails."""
    fences = re.findall(r"^```(sh|python)\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    steps = [
        step
        for language, block in fences
        for step in ([("sh", line) for line in block.splitlines()] if language == "sh" else [("python", block)])
    ]
    with tempfile.TemporaryDirectory() as folder:
        for language, step in steps:
            if step.startswith(ENDLESS):
                continue
            print(f"\n>>> {step}", flush=True)
            program = re.sub(r"^tautune\b", f"{sys.executable} -m tautune", step)
            command = ["bash", "-c", program] if language == "sh" else [sys.executable, "-c", step]
            subprocess.run(command, cwd=folder, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})


if __name__ == "__main__":
    for page in sys.argv[1:]:
        follow(page)
