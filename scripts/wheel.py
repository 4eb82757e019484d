"""Builds a wheel of the program, the Python module and, where it is built, the kernel.

    python3 scripts/wheel.py --program bin/metamers --platform linux_x86_64 \\
        --kernel bin/wheel/kernel --tools bin/wheel --out dist

The same files give the same bytes. The wheel has

    metamers/                                the Python module
    metamers_kernel.py                       the start of the kernel
    metamers_papermill.py                    papermill's parameters in Go
    bin/metamers, bin/metamers-kernel        the programs
    share/jupyter/kernels/metamers-go        the registration with Jupyter
    share/metamers/kernel-SUM.zip            for the kernel: sources (of this module, without
                                             weights and photographs, which the program has),
                                             modules (those that cells link, without files of
                                             other systems and tests), tools

Without --kernel it has the program and the Python module only.
"""

import argparse
import base64
import hashlib
import io
import json
import lzma
import os
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What cells may import, with all that it needs, and the process of a session.
PACKAGES = ["./metamerkit", "./metamerkit/local", "./metamerkit/figures", "./metamerkit/images/...", "./metamerkit/display/...", "./kernel/live/host/..."]
TOOLS = ["gonb", "goimports", "gopls"]
WHOLE = ["gonum.org/v1/gonum/stat", "gonum.org/v1/gonum/stat/distuv", "gonum.org/v1/gonum/mat", "gonum.org/v1/gonum/floats", "gonum.org/v1/plot/plotter"]


class Archive:
    """A zip archive whose bytes depend on its files only."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.zip = zipfile.ZipFile(self.buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9)
        self.record: list[str] = []

    def add(self, name: str, data: bytes, program: bool = False, packed: bool = False) -> None:
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.external_attr = (0o100755 if program else 0o100644) << 16
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        self.zip.writestr(info, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append(f"{name},sha256={digest},{len(data)}")

    def close(self) -> bytes:
        self.zip.close()
        return self.buffer.getvalue()


def go(*args: str) -> str:
    return subprocess.run(["go", *args], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def listed(packages: list[str]) -> list[dict]:
    """Return what go list says of packages and of all that they import."""
    text, found, at, decoder = go("list", "-deps", "-tags=netgo,osusergo", "-json", *packages), [], 0, json.JSONDecoder()
    while at < len(text.rstrip()):
        package, at = decoder.raw_decode(text, at)
        found.append(package)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def files_of(package: dict) -> set[Path]:
    """Return the files that a package is built from on this system."""
    kinds = ["GoFiles", "CgoFiles", "CFiles", "CXXFiles", "HFiles", "SFiles", "SysoFiles", "EmbedFiles"]
    return {Path(package["Dir"]) / name for kind in kinds for name in package.get(kind, [])}


def escaped(path: str) -> str:
    """Write a module's path as the module cache does: capital letters by ! and small ones."""
    return re.sub("[A-Z]", lambda m: "!" + m[0].lower(), path)


def without_outputs(path: Path) -> bytes:
    """Return a notebook without its outputs, most of which are pictures."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, indent=1).encode() + b"\n"


def kernel_archive(tools: Path) -> bytes:
    """Return the archive that the kernel unpacks when it is first started."""
    cache = Path(go("env", "GOMODCACHE").strip())
    chosen: dict[str, Path] = {}
    modules: dict[str, dict] = {}
    for package in listed(PACKAGES + WHOLE):
        module = package.get("Module")
        if module is None:
            continue
        for path in files_of(package):
            if module.get("Main"):
                if path.suffix not in (".safetensors", ".jpg") and "/testdata/" not in str(path) or path.suffix == ".go":
                    chosen[f"sources/{path.relative_to(ROOT)}"] = path
            else:
                chosen[f"modules/{path.relative_to(cache)}"] = path
        if not module.get("Main"):
            modules[module["Path"] + "@" + module["Version"]] = module
    for module in modules.values():
        folder = Path(module["Dir"])
        for path in folder.iterdir():
            if re.match("(LICEN[CS]E|COPYING|NOTICE|PATENTS)", path.name) and path.is_file() or path.name == "go.mod":
                chosen[f"modules/{path.relative_to(cache)}"] = path
        download = cache / "cache/download" / escaped(module["Path"]) / "@v"
        for end in ("ziphash", "info"):
            path = download / f"{escaped(module['Version'])}.{end}"
            if path.exists():
                chosen[f"modules/{path.relative_to(cache)}"] = path
    # The go.mod files of all modules, by which the go command says what is missing.
    for module in set(go("mod", "graph").split()):
        name, _, version = module.partition("@")
        path = cache / "cache/download" / escaped(name) / "@v" / f"{escaped(version)}.mod"
        if path.exists():
            chosen[f"modules/{path.relative_to(cache)}"] = path
    for name in ["go.mod", "go.sum", "LICENSE", "scripts/plugins.txt"]:
        chosen[f"sources/{name}"] = ROOT / name
    archive = Archive()
    for name in sorted(chosen):
        archive.add(name, chosen[name].read_bytes())
    for name in TOOLS:
        archive.add(f"tools/{name}.xz", lzma.compress((tools / name).read_bytes(), preset=6), program=True, packed=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        archive.add(f"sources/notebooks/{path.name}", without_outputs(path))
    return archive.close()


def platform_tag(platform: str, program: bytes) -> str:
    """Return the tag of a wheel's file name: the oldest glibc that the program runs with."""
    needed = [int(n) for n in re.findall(rb"GLIBC_2\.(\d+)", program)]
    if platform.startswith("linux_"):
        return platform.replace("linux", f"manylinux_2_{max([17, *needed])}", 1)
    return platform


def metadata(project: dict, kernel: bool, platform: str) -> str:
    """Return the METADATA file: what pyproject.toml says, XLA's plugins and oneDNN where there are some."""
    needs = list(project["dependencies"])
    extras = {name: list(wanted) for name, wanted in project["optional-dependencies"].items()}
    if platform == "linux_x86_64":
        pins = [re.search(r"^(\S+==\S+)", (ROOT / "scripts" / name).read_text(), re.M)[1] for name in ("plugins.txt", "onednn.txt")]
        cuda = re.search(r"^(\S+==\S+)", (ROOT / "scripts/plugins-cuda.txt").read_text(), re.M)
        libraries = re.findall(r"^(nvidia\S+==\S+)", (ROOT / "scripts/cuda-libraries.txt").read_text(), re.M)
        needs += pins
        extras["cuda13"] = [cuda[1], *libraries]
    if not kernel:
        extras.pop("lab")
    lines = ["Metadata-Version: 2.4", "Name: metamers", f"Version: {project['version']}", f"Summary: {project['description']}",
             f"License-Expression: {project['license']}", f"Requires-Python: {project['requires-python']}",
             *(f"Project-URL: {name}, {url}" for name, url in project["urls"].items()), "Description-Content-Type: text/markdown"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    for extra, wanted in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {need} ; extra == "{extra}"' for need in wanted]
    return "\n".join(lines) + "\n\n" + (ROOT / "python/README.md").read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", type=Path, required=True, help="the program metamers")
    parser.add_argument("--platform", required=True, help="linux_x86_64, linux_aarch64 or macosx_11_0_arm64")
    parser.add_argument("--kernel", type=Path, help="the kernel's program; none for a wheel without the kernel")
    parser.add_argument("--tools", type=Path, help="folder with gonb, goimports and gopls")
    parser.add_argument("--out", type=Path, default=Path("dist"), help="folder of the wheel")
    args = parser.parse_args()
    project_file = tomllib.loads((ROOT / "python/pyproject.toml").read_text())
    project = project_file["project"]
    version, program = project["version"], args.program.read_bytes()
    data, info = f"metamers-{version}.data", f"metamers-{version}.dist-info"
    wheel = Archive()
    for path in sorted((ROOT / "python/metamers").iterdir()):
        if path.suffix in (".py", ".typed"):
            wheel.add(f"metamers/{path.name}", path.read_bytes())
    wheel.add(f"{data}/scripts/metamers", program, program=True)
    needs = program
    if args.kernel:
        for module in project_file["tool"]["setuptools"]["py-modules"]:
            wheel.add(f"{module}.py", (ROOT / f"python/{module}.py").read_bytes())
        groups = "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in group.items()) for name, group in project["entry-points"].items())
        wheel.add(f"{info}/entry_points.txt", groups.encode())
        wheel.add(f"{data}/scripts/metamers-kernel", args.kernel.read_bytes(), program=True)
        needs += args.kernel.read_bytes() + b"".join((args.tools / name).read_bytes() for name in TOOLS)
        archive = kernel_archive(args.tools)
        wheel.add(f"{data}/data/share/metamers/kernel-{hashlib.sha256(archive).hexdigest()[:12]}.zip", archive, packed=True)
        spec = {"argv": ["python", "-m", "metamers_kernel", "run", "{connection_file}"], "display_name": "Go (metamers)", "language": "go",
                "interrupt_mode": "signal", "metadata": {"debugger": False}, "kernel_protocol_version": "5.4"}
        wheel.add(f"{data}/data/share/jupyter/kernels/metamers-go/kernel.json", json.dumps(spec, indent=2).encode() + b"\n")
    tag = platform_tag(args.platform, needs)
    wheel.add(f"{info}/METADATA", metadata(project, bool(args.kernel), args.platform).encode())
    wheel.add(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: metamers\nRoot-Is-Purelib: false\nTag: py3-none-{tag}\n".encode())
    wheel.add(f"{info}/licenses/LICENSE", (ROOT / "LICENSE").read_bytes())
    wheel.add(f"{info}/RECORD", "\n".join([*wheel.record, f"{info}/RECORD,,"]).encode() + b"\n")
    args.out.mkdir(parents=True, exist_ok=True)
    target = args.out / f"metamers-{version}-py3-none-{tag}.whl"
    target.write_bytes(wheel.close())
    print(f"{target} {os.path.getsize(target) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
