"""What is refused is refused before anything dear happens: without torch, which takes seconds, and without Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.commands.bad_input import BAD, prepare

DEAR = {
    "tune a_study.py": "a file of the user's is run to see what it holds",
    "predict broken x.png": "only torch can read a model",
    "probe digits --checkpoint a_file": "only torch can read a checkpoint",
    **dict.fromkeys(("sweep once.py", "edge once.py"), "only torch knows what it cannot differentiate twice"),
    "tune digits_mlp --examples 5": "the images have to be there to be divided",
    "tune digits_mlp --folds 500": "the images have to be there to be divided",
}
"""Inputs that cannot be refused without torch, and why."""
PROGRAM = """
import json, os, sys, time
from pathlib import Path
from tests.commands.bad_input import BAD
from tautune.commands import app

def children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()

def probe(command, answer):
    begun = time.monotonic()
    sys.argv = ["tautune", *command.split()]
    sys.stdout = sys.stderr = open(os.devnull, "w")
    try:
        app.main()
    except SystemExit as ended:
        code = ended.code
    loaded = sorted({"torch", "ray", "tensorboard"} & sys.modules.keys())
    os.write(answer, json.dumps([code, loaded, children(), time.monotonic() - begun]).encode())
    os._exit(0)

for command in BAD:
    answer, end = os.pipe()
    if not (child := os.fork()):
        probe(command, end)
    os.close(end)
    print(json.dumps([command, *json.loads(os.read(answer, 10_000))]), flush=True)
    os.close(answer)
    os.waitpid(child, 0)
"""


def test_bad_input_is_refused_without_torch_and_without_a_ray_process(tmp_path: Path) -> None:
    prepare(tmp_path)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "caches"), "TAUTUNE_DATA": str(tmp_path / "data")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(BAD)
    assert [(command, code) for command, code, *_ in found if code != 2] == []
    assert [(command, children) for command, _, _, children, _ in found if children] == []
    dear = {command: loaded for command, _, loaded, *_ in found if loaded}
    assert dear.keys() <= DEAR.keys(), dear
