"""Carries out the steps of a target of the Dockerfile in a root of its own.

    image.py TARGET WORK [VARIABLE=FOLDER ...]

WORK/context.tar is the build context. The root sees this machine's programs (/usr, /opt,
a copy of /etc) in place of the base image, and folders of its own elsewhere. Each
FOLDER, a cache of this machine that VARIABLE names there, lies at its own path below a
layer that takes all writes. RUN, COPY, ENV, ARG, USER, WORKDIR, SHELL, CMD and
HEALTHCHECK are obeyed as docker build and run do; anything else that would change the
image is an error. Needs root, in mount and process namespaces of its own
(test-image.sh).
"""
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from dockerfile_parse import DockerfileParser

target, work, shared = sys.argv[1], Path(sys.argv[2]), [s.split("=", 1) for s in sys.argv[3:]]
context, root = work / "context", work / "root"
STANDARD = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def say(*text):
    print("image:", *text, file=sys.stderr, flush=True)


def mount(*args):
    subprocess.run(["mount", *map(str, args)], check=True)


def bind(source, readonly=True):
    target = root / str(source).lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    mount("--rbind", source, target)
    if readonly:
        mount("-o", "remount,bind,ro", target)


def make_root():
    """The base image: this machine's programs and nothing of its users."""
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink("/" + name):
            os.symlink(os.readlink("/" + name), root / name)
        elif os.path.isdir("/" + name):
            bind("/" + name)
    bind("/usr")
    for name in os.listdir("/opt"):
        if os.path.isdir("/opt/" + name):
            bind("/opt/" + name)
    if not sys.base_prefix.startswith("/usr"):
        bind(sys.base_prefix)
    for name in ("/dev", "/sys"):
        bind(name, readonly=False)
    shutil.copytree("/etc", root / "etc", symlinks=True, ignore_dangling_symlinks=True)
    for name in ("passwd", "group"): # the base image has no users beside the system's
        lines = (root / "etc" / name).read_text().splitlines(keepends=True)
        (root / "etc" / name).write_text("".join(l for l in lines if not 1000 <= int(l.split(":")[2]) < 65534))
    (root / "proc").mkdir()
    mount("-t", "proc", "proc", root / "proc")
    for name, mode in (("home", 0o755), ("data", 0o755), ("root", 0o755), ("run", 0o755), ("var/lib/apt/lists", 0o755), ("tmp", 0o1777), ("var/tmp", 0o1777)):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    (root / "opt").mkdir(exist_ok=True)


def share(name, source, uid):
    """The folder with a layer above that takes what the user writes."""
    upper, scratch, to = work / ("upper-" + name), work / ("scratch-" + name), root / source.lstrip("/")
    for d in (upper, scratch):
        d.mkdir()
    to.mkdir(parents=True)
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={source},upperdir={upper},workdir={scratch},metacopy=on", to)
    # Folders, so that files can be added; what is there is only read.
    subprocess.run(["find", to / "cache" if name == "GOMODCACHE" else to, "-type", "d", "-exec", "chown", str(uid), "{}", "+"], check=True)


class Image:
    """What docker build knows between two steps."""

    def __init__(self):
        go = subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()
        # What the base image sets, and what this machine needs to reach its registries.
        self.env = {"PATH": f"{go}/bin:{sys.base_prefix}/bin:{STANDARD}", "GOTOOLCHAIN": "local", "HOME": "/root"}
        self.env |= {k: v for k, v in os.environ.items() if re.match(r"(PIP|SSL|CURL|REQUESTS)_|(.*_)?PROXY$|GO(PROXY|SUMDB|NOSUMDB|FLAGS)$", k, re.I)}
        self.args, self.user, self.dir, self.shell, self.cmd, self.health = {}, "root", "/", ["/bin/sh", "-c"], None, None

    def expand(self, text):
        known = self.args | self.env
        return re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda m: known.get(m[1] or m[2], ""), text)

    def account(self):
        """uid and gid of the user, by the root's own passwd."""
        for line in (root / "etc/passwd").read_text().splitlines():
            f = line.split(":")
            if self.user in (f[0], f[2]):
                return int(f[2]), int(f[3])
        raise SystemExit(f"image: USER {self.user} is not in the image's /etc/passwd")

    def start(self, argv, **options):
        uid, gid = self.account()

        def enter():
            os.chroot(root)
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            os.chdir(self.dir)

        return subprocess.Popen(argv, env=self.args | self.env, preexec_fn=enter, stdin=subprocess.DEVNULL, **options)

    def run(self, argv, what):
        began = time.monotonic()
        p = self.start(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = p.communicate()[0]
        if p.returncode:
            raise SystemExit(f"image: step failed ({p.returncode}): {what}\n{said[-4000:]}")
        say(f"{time.monotonic() - began:5.1f} s as {self.user}: {what[:100]}")
        return said

    def copy(self, value):
        words = shlex.split(value)
        owner = None
        while words[0].startswith("--"):
            flag = words.pop(0)
            if not flag.startswith("--chown="):
                raise SystemExit(f"image: COPY {flag} is not understood here")
            owner = flag.split("=")[1]
        *sources, to = words
        target = Path(os.path.join(self.dir, self.expand(to)))
        inside = root / str(target).lstrip("/")
        many = to.endswith("/") or len(sources) > 1
        for s in sources:
            from_ = context / s
            if from_.is_dir():
                shutil.copytree(from_, inside, symlinks=True, dirs_exist_ok=True)
            else:
                if many:
                    inside.mkdir(parents=True, exist_ok=True)
                inside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(from_, inside / from_.name if many else inside)
        user = self.user
        self.user = owner or "root"
        uid, gid = self.account()
        self.user = user
        subprocess.run(["chown", "-R", f"{uid}:{gid}", inside], check=True)
        say(f"COPY {value}")


def steps(target):
    """The instructions of a target and of the targets that it builds on."""
    stages, current = {}, None
    for i in DockerfileParser(str(work / "context" / "Dockerfile")).structure:
        if i["instruction"] == "FROM":
            m = re.fullmatch(r"(\S+)(?:\s+AS\s+(\S+))?", i["value"], re.I)
            current = stages.setdefault(m[2] or str(len(stages)), list(stages.get(m[1], [])))
        elif i["instruction"] != "COMMENT":
            current.append((i["instruction"], i["value"]))
    return stages[target]


def build(image, target):
    for name, value in steps(target):
        match name:
            case "RUN":
                image.run(image.shell + [value], "RUN " + value)
                if "useradd" in value:
                    uid = next(int(l.split(":")[2]) for l in (root / "etc/passwd").read_text().splitlines() if l.startswith("metamers:"))
                    for variable, folder in shared:
                        share(variable, folder, uid)
                        image.env[variable] = folder
            case "COPY":
                image.copy(value)
            case "ENV":
                for word in shlex.split(value):
                    k, v = word.split("=", 1)
                    image.env[k] = image.expand(v)
            case "ARG":
                k, _, v = value.partition("=")
                image.args[k] = shlex.split(v)[0] if v else ""
            case "USER":
                image.user = image.expand(value)
            case "WORKDIR":
                image.dir = value
            case "SHELL":
                image.shell = json.loads(value)
            case "CMD":
                image.cmd = json.loads(value)
            case "HEALTHCHECK":
                image.health = json.loads(value.partition("CMD ")[2])
            case "EXPOSE" | "LABEL":
                pass
            case _:
                raise SystemExit(f"image: {name} is not understood here")


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as r:
        return json.load(r)


def use(image):
    """Starts the image as docker run does, with another port and a token that is known."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    if image.account()[0] == 0:
        raise SystemExit("image: it runs as root")
    image.env["JUPYTER_TOKEN"] = "known"
    cmd = [re.sub("--port=8888", f"--port={port}", a) for a in image.cmd]
    log = open(work / "log", "w+")
    lab = image.start(cmd, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}/api/%s?token=known"
        for _ in range(600):
            try:
                specs = fetch(url % "kernelspecs")["kernelspecs"]
                break
            except OSError:
                if lab.poll() is not None:
                    raise SystemExit("image: JupyterLab ended:\n" + (work / "log").read_text()[-4000:])
                time.sleep(0.2)
        else:
            raise SystemExit("image: JupyterLab does not answer:\n" + (work / "log").read_text()[-4000:])
        assert "metamers-go" in specs, specs
        assert {"metamers", "work"} <= {e["name"] for e in fetch(url % "contents")["content"]}
        try:
            fetch(url.split("?")[0] % "kernelspecs")
            raise SystemExit("image: JupyterLab answers without its token")
        except urllib.error.HTTPError as e:
            assert e.code == 403, e
        say("JupyterLab answers, with its token only")
        health = [a.replace(":8888", f":{port}") for a in image.health]
        image.run(health, "HEALTHCHECK")
    finally:
        lab.send_signal(signal.SIGTERM)
        lab.wait(30)
    with image.start(health, stderr=subprocess.DEVNULL) as p:
        if p.wait() == 0:
            raise SystemExit("image: the health check passes although JupyterLab has ended")
    # A cell that needs the engine, executed where a folder would be mounted.
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "metamers-go", "display_name": "Go (metamers)", "language": "go"}},
            "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None,
                       "source": 'import mk "github.com/ensemble-metamers/metamers/metamerkit"\n\nphotos := mk.Must(mk.OpenImages("photos:4", 32))\nrun := mk.Must(mk.Synthesize(mk.Recipe{Models: mk.Set("plain7_48.mm_c10"), Stage: "early", Steps: 20}, photos))\nlen(mk.Must(run.Metamers()))'}]}
    (root / "home/metamers/work/cell.ipynb").write_text(json.dumps(book))
    os.chown(root / "home/metamers/work/cell.ipynb", *image.account())
    image.env["METAMERS_ENGINE_IDLE"] = "2s"
    image.run(["/bin/bash", "-c", "exec ~/.cache/metamers/kernel/lab-*/bin/jupyter-execute --inplace work/cell.ipynb"], "a cell in the mounted folder")
    shown = json.loads((root / "home/metamers/work/cell.ipynb").read_text())["cells"][0]["outputs"]
    value = [o["data"]["text/plain"] for o in shown if o["output_type"] == "execute_result"]
    assert "".join(value[0]) == str(4 * 32 * 32 * 3), shown
    assert any((root / "home/metamers/work/runs").glob("*/metamers.safetensors")), "the run is not in the mounted folder"
    say("a cell synthesises; its run lies in work/runs")


mount("--make-rprivate", "/")
mount("-t", "proc", "proc", "/proc")
for d in (context, root):
    d.mkdir()
with tarfile.open(work / "context.tar") as t:
    t.extractall(context, filter="fully_trusted")
make_root()
image = Image()
build(image, target)
use(image)
say(f"{target}: ok")
