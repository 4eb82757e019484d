"""A session in several clients: programs that run notebooks, two kernels, two front ends."""

import os
import subprocess
import sys
import tempfile
import unittest

import nbformat
from jupyter_client import BlockingKernelClient
from test_cases import Kernel

CELLS = ["x := []int{1, 2}", "x = append(x, 3)", "total := 0\nfor _, v := range x {\n\ttotal += v\n}\ntotal"]


class Clients(unittest.TestCase):
    def notebook(self, folder):
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS],
                                        metadata={"kernelspec": {"name": "metamers-go", "display_name": "Go (metamers)", "language": "go"}})
        path = os.path.join(folder, "book.ipynb")
        nbformat.write(book, path)
        return path

    def test_programs_that_run_notebooks(self):
        """nbconvert --execute and jupyter execute; papermill drives nbclient as these do."""
        for program in (["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace"], ["-c", "from nbclient.cli import main; main()", "--inplace"]):
            with tempfile.TemporaryDirectory() as folder:
                path = self.notebook(folder)
                done = subprocess.run([sys.executable] + program + [path], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr[-2000:])
                book = nbformat.read(path, as_version=4)
                self.assertEqual(book.cells[-1].outputs[0].data["text/plain"], "6", program)

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
