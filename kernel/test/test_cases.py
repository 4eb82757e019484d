"""Runs the cases of kernel/test/cases: what cells do that follow each other in one kernel.

A file holds cases. A case begins with a line "== NAME" and is a sequence of cells, each
behind a line "[cell]". What a cell is expected to do follows it:

    [prints]           exactly this on standard output
    [prints matching]  standard output matches this regular expression as a whole
    [stderr]           exactly this on standard error
    [shows]            this value, as text
    [shows TYPE]       a value (or a display) with contents of this media type, which match
                       the regular expression below, if there is one
    [fails NAME]       this error; each line below is somewhere in its message or traceback
    [interrupt]        interrupted when its first output comes
    [input]            lines that answer its questions

A cell without [fails] ends without an error, and what is not expected must not come. A
line "[not yet] REASON" below the name says that the case fails today, and why; when it
passes, the test fails until that line is removed. "[fresh]" gives the case a kernel of
its own; the others share one, with %reset between them.
"""

import glob
import os
import queue
import re
import time
import unittest

from jupyter_client.manager import start_new_kernel

# An engine of these tests only, which ends soon after.
os.environ.setdefault("METAMERS_ENGINE_DIR", os.path.join(os.environ["XDG_RUNTIME_DIR"], "engine"))
os.environ.setdefault("METAMERS_ENGINE_IDLE", "20s")
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
MARK = re.compile(r"^\[(cell|prints|prints matching|stderr|shows(?: \S+/\S+)?|fails(?: \w+)?|interrupt|input)\]$")
NOT_YET = re.compile(r"^\[not yet\] (.+)$")
SECONDS = 120  # that a cell may take on a busy machine


class Case:
    def __init__(self, file, name):
        self.file, self.name, self.reason, self.fresh, self.cells = file, name, None, False, []


def read(path):
    """The cases of a file."""
    cases, part = [], None
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        if line.startswith("== "):
            cases.append(Case(os.path.basename(path), line[3:]))
            part = None
        elif not cases:
            if line and not line.startswith("#"):
                raise ValueError(f"{where}: {line!r} stands before the first case")
        elif found := NOT_YET.match(line):
            cases[-1].reason = found.group(1)
        elif line == "[fresh]":
            cases[-1].fresh = True
        elif found := MARK.match(line):
            kind = found.group(1)
            if kind == "cell":
                cases[-1].cells.append({"cell": []})
            elif not cases[-1].cells:
                raise ValueError(f"{where}: {line} stands before the first [cell]")
            part = cases[-1].cells[-1].setdefault(kind, [])
        elif part is not None:
            part.append(line)
        elif line:
            raise ValueError(f"{where}: {line!r} belongs to no part of the case")
    for case in cases:
        if not case.cells:
            raise ValueError(f"{path}: the case {case.name!r} has no cell")
        for cell in case.cells:
            for kind in cell:
                cell[kind] = "\n".join(cell[kind]).strip("\n")
    return cases


class Outcome:
    """What a cell did."""

    def __init__(self):
        self.stdout, self.stderr, self.shown, self.data, self.errors, self.reply = "", "", None, [], [], None


class Kernel:
    def __init__(self):
        self.km, self.kc = start_new_kernel(kernel_name="metamers-go")

    def close(self):
        self.kc.stop_channels()
        self.km.shutdown_kernel(now=True)

    def run(self, code, answers=(), interrupt=False):
        out, answers, got = Outcome(), list(answers), False
        request = self.kc.execute(code, allow_stdin=bool(answers))
        end = time.time() + SECONDS
        idle = False
        while not idle or out.reply is None:
            if idle is False and not self.km.is_alive():
                raise RuntimeError(f"the kernel ended in the middle of the cell; it printed {out.stdout!r}")
            if time.time() > end:
                raise TimeoutError(f"the cell still runs after {SECONDS} s; it printed {out.stdout!r}")
            if answers:
                try:
                    self.kc.get_stdin_msg(timeout=0)
                    self.kc.input(answers.pop(0))
                except queue.Empty:
                    pass
            try:
                m = self.kc.get_iopub_msg(timeout=0.05 if idle or answers else 0.5)
                if m["parent_header"].get("msg_id") == request:
                    idle = idle or m["msg_type"] == "status" and m["content"]["execution_state"] == "idle"
                    self.take(m, out)
                    if interrupt and not got and m["msg_type"] == "stream":
                        got = True
                        self.km.interrupt_kernel()
            except queue.Empty:
                pass
            try:
                while out.reply is None:
                    m = self.kc.get_shell_msg(timeout=0)
                    if m["parent_header"].get("msg_id") == request:
                        out.reply = m["content"]
            except queue.Empty:
                pass
        return out

    @staticmethod
    def take(m, out):
        content = m["content"]
        if m["msg_type"] == "stream":
            setattr(out, content["name"], getattr(out, content["name"]) + content["text"])
        elif m["msg_type"] == "execute_result":
            out.shown = content["data"].get("text/plain", "")
            out.data.append(content["data"])
        elif m["msg_type"] == "display_data":
            out.data.append(content["data"])
        elif m["msg_type"] == "error":
            out.errors.append(content)


class Cases(unittest.TestCase):
    maxDiff = None
    kernel = None

    @classmethod
    def tearDownClass(cls):
        cls.drop()

    @classmethod
    def drop(cls):
        if Cases.kernel:
            Cases.kernel.close()
            Cases.kernel = None

    def carry_out(self, case):
        if case.fresh or Cases.kernel is None:
            self.drop()
            Cases.kernel = Kernel()
        else:
            out = self.kernel.run("%reset")
            if out.reply["status"] != "ok":
                self.drop()
                Cases.kernel = Kernel()
        try:
            for i, cell in enumerate(case.cells, 1):
                out = self.kernel.run(cell["cell"], [a for a in cell.get("input", "").split("\n") if a], "interrupt" in cell)
                self.compare(cell, out, f"{case.file}, {case.name!r}, cell {i}:\n{cell['cell']}\n")
        except BaseException:
            self.drop()  # the next case begins anew
            raise
        if case.fresh:
            self.drop()

    def compare(self, cell, out, where):
        fails = next((k for k in cell if k.startswith("fails")), None)
        said = "\n".join(f"{e['ename']}: {e['evalue']}\n" + re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(e["traceback"])) for e in out.errors)
        if fails is None:
            self.assertEqual([out.reply["status"], said], ["ok", ""], where)
        else:
            self.assertEqual([out.reply["status"], len(out.errors)], ["error", 1], f"{where}one error was expected; printed: {out.stdout!r}; shown: {out.shown!r}")
            if " " in fails:
                self.assertEqual(out.errors[0]["ename"], fails.split()[1], where + said)
            for line in cell[fails].split("\n"):
                self.assertIn(line, said, where)
        if "prints matching" in cell:
            self.assertRegex(out.stdout.strip("\n"), f"(?s)^(?:{cell['prints matching']})$", where)
        elif "interrupt" not in cell or "prints" in cell:
            self.assertEqual(out.stdout.strip("\n"), cell.get("prints", ""), where)
        stderr = re.sub("compiling packages that the session needs .*\n", "", out.stderr)  # where a cell is the first to import one
        self.assertEqual(stderr.strip("\n"), cell.get("stderr", ""), where)
        rich = [k for k in cell if k.startswith("shows ")]
        if "shows" in cell:
            self.assertEqual(out.shown, cell["shows"], where)
        elif not rich:
            self.assertEqual([out.shown, out.data], [None, []], where)
        for kind in rich:
            contents = [d[kind[6:]] for d in out.data if kind[6:] in d]
            self.assertTrue(contents, f"{where}no output of {kind[6:]}, but {[sorted(d) for d in out.data]}")
            if cell[kind]:
                self.assertRegex(contents[0], f"(?s){cell[kind]}", where)


def add(case, name):
    def test(self):
        self.carry_out(case)

    test.__doc__ = f"{case.file}: {case.name}" + (f" (not yet: {case.reason})" if case.reason else "")
    if case.reason:
        test = unittest.expectedFailure(test)
    setattr(Cases, name, test)


for path in sorted(glob.glob(FOLDER + "/*.txt")):
    for n, found in enumerate(read(path), 1):
        add(found, f"test_{os.path.basename(path)[:-4]}_{n:02d}_" + re.sub(r"\W+", "_", found.name).strip("_").lower())


if __name__ == "__main__":
    unittest.main()
