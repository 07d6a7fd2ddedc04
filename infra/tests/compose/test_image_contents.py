"""Images hold the files that their programs import; checked without building them."""

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from infra.runner.config import ROOT

PROGRAMS = {
    "gateway": ("infra.compose.gateway",),
    "dynamodb": ("infra.compose.dynamodb", "infra.compose.data_file"),
    "bus": ("chassis.healthcheck",),
    "load": ("bench.demo_load",),
    "emulator": ("infra.local_cloud.ministack_patches", "chassis.healthcheck"),
    "tools": (
        *("infra.compose.bus_recovery", "infra.compose.demo", "infra.compose.provision"),
        *("infra.compose.secrets_setup", "extraction.deployment.compose", "forum.commands.migrate"),
    ),
}
DOCKERFILE = (ROOT / "infra/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def copy_files(target: str, folder: Path) -> None:
    """Copy what a target's COPY instructions take from the repository and from other targets."""
    [stage] = re.findall(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.S | re.M)
    for instruction in re.findall(r"^COPY (.+)$", stage, re.M):
        *sources, destination = shlex.split(instruction)
        if sources[0] == "--from=shared":
            copy_files("shared", folder)
        if sources[0].startswith("--from") or destination.startswith("/"):
            continue
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / destination, dirs_exist_ok=True)
            else:
                (folder / destination).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, folder / destination)


@pytest.mark.parametrize(
    ("target", "program"),
    [(target, program) for target, programs in PROGRAMS.items() for program in programs],
)
def test_programs_of_an_image_can_be_imported(target: str, program: str, tmp_path: Path) -> None:
    copy_files(target, tmp_path)
    # Libraries, without the repository's own packages, which .pth files would add.
    path = f"{tmp_path}:{sysconfig.get_path('purelib')}"
    code = f"import importlib.util, runpy; runpy.run_module({program!r}, run_name='imported')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": path, "EXTRACTED": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
