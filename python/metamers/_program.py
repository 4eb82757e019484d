"""Starts the program metamers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path


class Error(RuntimeError):
    """An error of the program, in its own words."""


def program() -> str:
    """Return the path of the program metamers.

    Raises:
        FileNotFoundError: It is neither named by METAMERS_PROGRAM, nor installed with this module,
            nor on PATH, nor built in the repository that this module lies in.
    """
    if "METAMERS_PROGRAM" not in os.environ:
        for scheme in (sysconfig.get_default_scheme(), f"{os.name}_user"):
            if path := shutil.which(os.path.join(sysconfig.get_path("scripts", scheme), "metamers")):
                return path
    built = Path(__file__).resolve().parents[2] / "bin" / "metamers"
    named = os.environ.get("METAMERS_PROGRAM", "metamers")
    if path := shutil.which(named):
        return path
    if "METAMERS_PROGRAM" not in os.environ and built.is_file():
        return str(built)
    raise FileNotFoundError(f"the program {named} was not found: pip install metamers brings it; or build it (make build), and put it on PATH or name it in METAMERS_PROGRAM")


def call(args: list[str], progress: bool) -> str:
    """Run a command and return its standard output.

    Its progress goes to sys.stderr, so that it appears below a notebook cell. An interrupt is
    passed on: the program saves what was done, and the same call resumes it.
    """
    last = ""
    with tempfile.TemporaryFile("w+") as out:
        with subprocess.Popen([program(), *args], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            try:
                for line in process.stderr:
                    last = line.strip() or last
                    if progress and not line.startswith("metamers: "):
                        print(line, end="", file=sys.stderr, flush=True)
            except BaseException:
                process.send_signal(signal.SIGINT)
                raise
        out.seek(0)
        if process.returncode:
            raise Error(last.removeprefix("metamers: ") or f"metamers ended with status {process.returncode}")
        return out.read()


def flags(settings: dict[str, object]) -> list[str]:
    """Turn settings such as stop_loss=0.01 into flags such as --stop-loss=0.01.

    A list is joined by commas. True is a flag without a value; None and False are left out.
    """
    args = []
    for key, value in settings.items():
        flag = "--" + key.replace("_", "-")
        if value is True:
            args.append(flag)
        elif isinstance(value, (list, tuple)):
            args.append(f"{flag}={','.join(map(str, value))}")
        elif value is not None and value is not False:
            args.append(f"{flag}={value}")
    return args
