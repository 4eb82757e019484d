"""A program that answers one line of standard input with one line of standard output, and its cache."""
import os
import subprocess
from pathlib import Path


def own_cache(folder):
    """Makes a cache folder of this project in which models can be added; the plugins in it are the user's."""
    user = Path(os.environ.get("METAMERS_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "metamers"), "plugins")
    folder.mkdir(exist_ok=True)
    if user.is_dir() and not (folder / "plugins").exists():
        (folder / "plugins").symlink_to(user.resolve())
    return str(folder)


class Failed(SystemExit):
    """A program that ended, or that did what it should not."""


class Process:
    def __init__(self, name, command, env):
        self.name = name
        self.p = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def line(self):
        line = self.p.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended with status {self.p.wait()} (its message is above)")
        return line.strip()

    def ready(self):
        """What the program says of itself once it is ready."""
        line = self.line()
        if line.split()[:1] != ["ready"]:
            raise Failed(f"{self.name} said {line!r}, expected ready")
        return line.removeprefix("ready").strip()

    def ask(self, command):
        try:
            self.p.stdin.write(command + "\n")
        except BrokenPipeError:
            pass  # line reports how it ended
        return self.line()

    def close(self):
        self.p.stdin.close()
        try:
            self.p.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
