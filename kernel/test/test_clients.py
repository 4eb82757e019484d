"""A session in several clients: programs that run notebooks, two kernels, two front ends."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

import nbformat
from jupyter_client import BlockingKernelClient
from test_cases import Kernel

PYTHON = Path(__file__).resolve().parents[2] / "python"
CELLS = ["x := []int{1, 2}", "x = append(x, 3)", "total := 0\nfor _, v := range x {\n\ttotal += v\n}\ntotal"]


class Clients(unittest.TestCase):
    def notebook(self, folder, cells=CELLS):
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells],
                                        metadata={"kernelspec": {"name": "metamers-go", "display_name": "Go (metamers)", "language": "go"}})
        path = os.path.join(folder, "book.ipynb")
        nbformat.write(book, path)
        return path

    def test_programs_that_run_notebooks(self):
        """nbconvert --execute and jupyter execute."""
        for program in (["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace"], ["-c", "from nbclient.cli import main; main()", "--inplace"]):
            with tempfile.TemporaryDirectory() as folder:
                path = self.notebook(folder)
                done = subprocess.run([sys.executable] + program + [path], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr[-2000:])
                book = nbformat.read(path, as_version=4)
                self.assertEqual(book.cells[-1].outputs[0].data["text/plain"], "6", program)

    def papermill(self, cells, *args):
        """Runs a notebook, the first cell of which is tagged "parameters"; returns the papermill that ended and the notebook."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = self.notebook(folder, cells)
        book = nbformat.read(path, as_version=4)
        book.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(book, path)
        # What pip installs of the module that writes parameters.
        installed = os.path.join(folder, "metamers-0.dist-info")
        os.mkdir(installed)
        with open(PYTHON / "pyproject.toml", "rb") as f:
            group = tomllib.load(f)["project"]["entry-points"]["papermill.engine"]
        with open(os.path.join(installed, "entry_points.txt"), "w") as f:
            f.write("[papermill.engine]\n" + "".join(f"{k} = {v}\n" for k, v in group.items()))
        env = os.environ | {"PYTHONPATH": os.pathsep.join([folder, str(PYTHON), os.environ["PYTHONPATH"]])}
        done = subprocess.run([sys.executable, "-m", "papermill", "--no-progress-bar", path, path, *args], capture_output=True, text=True, env=env)
        return done, nbformat.read(path, as_version=4)

    def test_papermill(self):
        """Parameters take the types that the notebook's own cell gives."""
        cells = ["type Stage string\nvar stage Stage = \"late\"\nrate, name, on, images, weights, sets := 0.5, \"a\", false, []string{\"none\"}, map[string]float64{}, [][]int{}",
                 'fmt.Printf("%T %v %T %v %q %v %q %v %v", stage, stage, rate, rate, name, on, images, weights, sets)']
        done, book = self.papermill(cells, "-p", "stage", "early", "-p", "rate", "2", "-p", "on", "True", "-y",
                                    '{name: "é\\n\\"q\\" 😀 \\\\", images: [], weights: {a: 1, b: 2.5}, sets: [[1, 2], []]}')
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertNotIn("unknown parameter", done.stderr)
        self.assertEqual(book.cells[-1].outputs[0].text, 'cell.Stage early float64 2 "é\\n\\"q\\" 😀 \\\\" true [] map[a:1 b:2.5] [[1 2] []]')
        done, book = self.papermill(cells, "-p", "stege", "early")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("CompileError: undefined: stege\nline 2", done.stderr)
        self.assertIn("Passed unknown parameter: stege", done.stderr)

    def test_papermill_without_a_session(self):
        """Parameters that later cells would not see are refused."""
        done, book = self.papermill(["%state off", "var steps = 3", "steps"], "-p", "steps", "4")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ParametersError: papermill's parameters would be lost", done.stderr)
        self.assertEqual([c.outputs for c in book.cells if c.source == "steps"], [[]])

    def test_two_kernels(self):
        """Each kernel has a session of its own."""
        a, b = Kernel(), Kernel()
        self.addCleanup(a.close)
        self.addCleanup(b.close)
        for kernel, value in ((a, "1"), (b, "2")):
            self.assertEqual(kernel.run("x := " + value).reply["status"], "ok")
        self.assertEqual([k.run("x * 10").shown for k in (a, b)], ["10", "20"])

    def test_two_front_ends(self):
        """Two front ends of one kernel share its session."""
        kernel = Kernel()
        self.addCleanup(kernel.close)
        other = BlockingKernelClient(connection_file=kernel.km.connection_file)
        other.load_connection_file()
        other.start_channels()
        self.addCleanup(other.stop_channels)
        other.wait_for_ready(timeout=60)
        kernel.run("x := 20")
        reply = other.execute_interactive("x++", timeout=60, output_hook=lambda m: None)
        self.assertEqual(reply["content"]["status"], "ok")
        self.assertEqual(kernel.run("x * 2").shown, "42")


if __name__ == "__main__":
    unittest.main()
