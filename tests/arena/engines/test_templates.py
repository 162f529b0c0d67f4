"""The templates for clusters: Slurm's runs with stand-ins for Slurm, of the others the form and the options."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from distillgame.arena import load_config

TEMPLATES = Path(__file__).parents[3] / "docs" / "clusters"

# Two nodes of one machine must not choose their ports from the same range.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
[[ $1 == ray ]] && set -- "$@" --min-worker-port=0 --max-worker-port=0 --object-store-memory=100000000
exec "$@"
"""
SCONTROL = "#!/bin/bash\necho 127.0.0.1\necho localhost\n"


def options(text: str) -> dict[str, Any]:
    """Return what a command sets by -s, with the store's placeholder filled in."""
    found = re.findall(r"-s \"?([\w.]+)=([^\"\s]+)", text)
    return {name: value.replace("$STORE", "s3://b/f").replace("BUCKET", "b") for name, value in found}


def test_slurms_script_plays_a_game_in_a_shared_folder(tiny: dict[str, Any], tmp_path: Path) -> None:
    """Logs lie there by stage, and every stage says where it was computed."""
    game = tiny | {"seeds": [0], "students": ["untrained"], "policies": ["standard"]}
    (tmp_path / "game.yaml").write_text(yaml.safe_dump(game))
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "DISTILLGAME_VENV": sys.prefix, "SLURM_JOB_NODELIST": "n[1-2]", "RAY_PORT": port}
    environment |= {"PATH": f"{commands}:{os.environ['PATH']}", "SLURM_CPUS_PER_TASK": "1"}
    command = ["bash", str(TEMPLATES / "slurm.sh"), str(tmp_path / "game.yaml"), "--out", str(tmp_path / "run")]
    with (tmp_path / "log").open("w") as log:
        job = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        assert job.wait(300) == 0, (tmp_path / "log").read_text()
    finally:
        os.killpg(job.pid, signal.SIGKILL)  # As Slurm ends what a job leaves.
    assert (tmp_path / "run" / "results.json").is_file()
    assert "ray" in (tmp_path / "run" / "config.yaml").read_text()
    stages = {path.name for path in (tmp_path / "run" / "stages").iterdir()}
    assert {path.stem for path in (tmp_path / "run" / "logs").iterdir()} == stages
    manifest = json.loads(next((tmp_path / "run" / "stages").glob("*/stage.json")).read_text())
    assert manifest["environment"]["python"] == sys.version.split()[0]
    assert "torch" in manifest["environment"]["libraries"]


@pytest.mark.parametrize("name", ["kuberay.yaml", "skypilot.yaml"])
def test_options_of_templates_are_ours(name: str) -> None:
    whole = yaml.safe_load((TEMPLATES / name).read_text())
    command = whole["run"] if name.startswith("sky") else whole["spec"]["entrypoint"]
    game = re.search(r"distillgame play (\w+)", command)
    assert game is not None
    compute = load_config(game[1], overrides=options(command)).compute
    assert (compute.engine, compute.store) == ("ray", "s3://b/f" if name.startswith("sky") else "s3://b/gsm8k")


def test_the_scripts_of_templates_parse() -> None:
    for text in (
        (TEMPLATES / "slurm.sh").read_text(),
        yaml.safe_load((TEMPLATES / "skypilot.yaml").read_text())["run"],
    ):
        subprocess.run(["bash", "-n", "-c", text], check=True)
        assert shlex.split(text, comments=True)
