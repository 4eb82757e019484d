"""What a kernel leaves behind, and what it does under load, in real Jupyter clients."""

import glob
import os
import shutil
import signal
import time
import unittest

import psutil
from jupyter_client.manager import start_new_kernel

LONG = bool(os.environ.get("METAMERS_LONG"))
SHOW = 'import "github.com/ensemble-metamers/metamers/metamerkit/display"\n'
BASE = os.environ["XDG_RUNTIME_DIR"]  # where kernels keep their folders: see scripts/test-kernel.sh


def start():
    return start_new_kernel(kernel_name="metamers-go")


def run(kc, code, timeout=120):
    """Executes a cell; returns the reply's content and the messages with output."""
    out = []
    reply = kc.execute_interactive(code, timeout=timeout, allow_stdin=False, output_hook=out.append)
    return reply["content"], [m for m in out if m["msg_type"] not in ("status", "execute_input") and not m["content"].get("text", "").startswith("compiling packages ")]


def folders():
    return glob.glob(BASE + "/metamers-kernel-*")


def family():
    """Kernels, watchers, and all that carries the mark of a kernel of this test."""
    found = []
    for p in psutil.process_iter(["pid", "cmdline"]):
        try:
            line = " ".join(p.info["cmdline"] or [])
            if (BASE in line and "metamers-kernel" in line) or "METAMERS_KERNEL_MARK" in p.environ() and BASE in p.environ().get("TMPDIR", ""):
                found.append(p)
        except (psutil.Error, OSError):
            pass
    return found


def within(seconds, what, test):
    """Waits for something that takes so long at most on a machine of its own; a busy one gets more."""
    seconds *= 4
    end = time.time() + seconds
    while time.time() < end:
        try:
            if test():
                return
        except psutil.Error:  # a process ended between two looks
            pass
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}; left: {[(p.pid, p.name()) for p in family()]} {folders()}")


def watchers():
    found = []
    for p in family():
        try:
            if "watch" in p.cmdline():
                found.append(p)
        except psutil.Error:  # ended meanwhile
            pass
    return found


def nothing_left():
    return not family() and not folders()


def kernel_pid(km):
    return km.provisioner.process.pid


def child(km, name):
    for p in psutil.Process(kernel_pid(km)).children(recursive=True):
        if p.name() == name:
            return p
    raise AssertionError("no process " + name)


SLEEP = 'exec.Command("sleep", "1000").Start()\nfmt.Println("started")\ntime.Sleep(1000 * time.Second)'


class Life(unittest.TestCase):
    def tearDown(self):
        # A test that failed must not fail the next ones.
        for p in family():
            try:
                p.kill()
            except psutil.Error:
                pass
        for d in folders():
            shutil.rmtree(d, ignore_errors=True)

    def busy(self):
        """A kernel with a cell that runs and has a child of its own."""
        km, kc = start()
        self.addCleanup(kc.stop_channels)
        kc.execute(SLEEP)
        while True:
            m = kc.get_iopub_msg(timeout=60)
            if m["msg_type"] == "stream":
                return km, kc

    def test_shutdown(self):
        km, kc = start()
        run(kc, "1")
        kc.stop_channels()
        km.shutdown_kernel()
        within(2, "all gone", nothing_left)

    def test_shutdown_while_running(self):
        km, _ = self.busy()
        process = km.provisioner.process
        km.shutdown_wait_time = 120  # Jupyter kills after five seconds, which a busy machine may need
        began = time.time()
        km.shutdown_kernel()
        print(f"shutdown while running: {time.time() - began:.2f} s", flush=True)
        self.assertEqual(process.returncode, 0)  # it ended by itself
        within(2, "all gone", nothing_left)

    def test_kill_the_kernel(self):
        km, _ = self.busy()
        os.kill(kernel_pid(km), signal.SIGKILL)
        within(5, "all gone", nothing_left)

    def test_kill_gonb(self):
        km, kc = start()
        self.addCleanup(lambda: (kc.stop_channels(), km.shutdown_kernel(now=True)))
        run(kc, "%state off")
        run(kc, "1")
        child(km, "gonb").kill()
        reply, _ = run(kc, "2")  # noticed before or in the middle: the kernel says which
        if reply["status"] == "error":
            self.assertEqual(reply["ename"], "KernelError")
            reply, out = run(kc, "2")
        self.assertEqual(reply["status"], "ok")
        kc.execute("fmt.Println()\ntime.Sleep(time.Hour)")
        while kc.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        child(km, "gonb").kill()
        reply = kc.get_shell_msg(timeout=60)
        self.assertEqual(reply["content"]["status"], "error")
        self.assertEqual(reply["content"]["ename"], "KernelError")
        reply, out = run(kc, "3")
        self.assertEqual([reply["status"], out[0]["content"]["data"]["text/plain"]], ["ok", "3"])
        km.shutdown_kernel()
        within(2, "all gone", nothing_left)

    def test_kill_the_watcher(self):
        km, _ = self.busy()
        old = watchers()
        for p in old:
            p.kill()
        within(5, "another watcher", lambda: any(p not in old for p in watchers()))
        os.kill(kernel_pid(km), signal.SIGKILL)
        within(5, "all gone", nothing_left)

    def test_kill_kernel_and_watcher(self):
        """Then GoNB and the cell end at once, and the next kernel removes the rest."""
        km, _ = self.busy()
        pids = [kernel_pid(km)] + [p.pid for p in watchers()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        km2, kc2 = start()
        kc2.stop_channels()
        km2.shutdown_kernel()
        within(5, "all gone", nothing_left)

    def test_kill_jupyter(self):
        """The process that started the kernel is killed."""
        pid = os.fork()
        if pid == 0:
            km, kc = start()
            kc.execute(SLEEP)
            time.sleep(1000)
            os._exit(0)
        within(60, "a running cell", lambda: any(p.name() == "sleep" for p in family()))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        within(5, "all gone", nothing_left)

    def test_restarts(self):
        km, kc = start()
        for i in range(50 if LONG else 8):
            if i % 2 == 0:
                run(kc, "1")
            km.restart_kernel()
            kc.wait_for_ready(timeout=60)
            within(2, "the old folder gone", lambda: len(folders()) == 1)
        kc.stop_channels()
        km.shutdown_kernel()
        within(2, "all gone", nothing_left)


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.km, cls.kc = start()

    @classmethod
    def tearDownClass(cls):
        cls.kc.stop_channels()
        cls.km.shutdown_kernel()

    def test_displays_none_lost(self):
        for show in (SHOW + 'for i := range 200 { display.Show(display.HTML(fmt.Sprintf("%03d", i) + strings.Repeat("x", 200000))) }',
                     'import "github.com/janpfeifer/gonb/gonbui"\nfor i := range 200 { gonbui.DisplayHtml(fmt.Sprintf("%03d", i) + strings.Repeat("x", 200000)) }'):
            reply, out = run(self.kc, show)
            self.assertEqual(reply["status"], "ok")
            got = [m["content"]["data"]["text/html"] for m in out if m["msg_type"] == "display_data"]
            self.assertEqual([int(g[:3]) for g in got], list(range(200)))
            self.assertEqual({len(g) for g in got}, {200003})

    def test_streams_none_lost(self):
        reply, out = run(self.kc, 'for i := range 200000 { fmt.Println(i, "é€𝄞") }\nfmt.Fprint(os.Stderr, strings.Repeat("€", 1000000))')
        text = "".join(m["content"]["text"] for m in out if m["content"].get("name") == "stdout")
        self.assertEqual(text, "".join(f"{i} é€𝄞\n" for i in range(200000)))
        text = "".join(m["content"]["text"] for m in out if m["content"].get("name") == "stderr")
        self.assertEqual(text, "€" * 1000000)

    def test_order(self):
        """What is printed and what is displayed comes in the program's order."""
        _, out = run(self.kc, SHOW + 'for i := range 100 { fmt.Print(i, " "); display.Show(display.HTML(fmt.Sprint(i))) }')
        seen = []
        for m in out:
            seen += m["content"]["text"].split() if m["msg_type"] == "stream" else [m["content"]["data"]["text/html"]]
        self.assertEqual(seen, [str(i) for i in range(100) for _ in (0, 1)])

    def test_error_once(self):
        for code, name, value in (
            ('func half(a int) int {\n\treturn 1 / a\n}\nhalf(0)', "panic", "runtime error: integer divide by zero"),
            ("1 +\nz", "CompileError", "line 2: undefined: z"),
            ("x := )", "SyntaxError", "line 1, column 6: expected operand, found ')'"),
            ('errors.New("no")', "Error", "no"),
        ):
            reply, out = run(self.kc, code)
            self.assertEqual([m["msg_type"] for m in out], ["error"], code)
            self.assertEqual([reply["ename"], reply["evalue"]], [name, value])
            text = "\n".join(reply["traceback"])
            for bad in ("gonb_", "main.go", "/tmp/", "metamersDisplay"):
                self.assertNotIn(bad, text)
        self.assertIn("line 2, in half", "\n".join(run(self.kc, 'func half(a int) int {\n\treturn 1 / a\n}\nhalf(0)')[0]["traceback"]))

    def test_interrupt(self):
        for code in ("time.Sleep(100 * time.Second)",
                     "c := make(chan os.Signal, 1)\nsignal.Notify(c, os.Interrupt)\ntime.Sleep(100 * time.Second)",
                     "!sleep 100",
                     "for { }"):
            msg = self.kc.execute(code)
            queued = self.kc.execute("1")
            time.sleep(2)
            began = time.time()
            self.km.interrupt_kernel()
            reply = self.kc.get_shell_msg(timeout=120)
            took = time.time() - began
            self.assertEqual(reply["parent_header"]["msg_id"], msg)
            self.assertEqual([reply["content"]["status"], reply["content"].get("ename")], ["error", "Interrupted"], code)
            print(f"interrupt {code.splitlines()[-1]!r}: {took:.2f} s", flush=True)
            reply = self.kc.get_shell_msg(timeout=120)
            self.assertEqual([reply["parent_header"]["msg_id"], reply["content"]["status"]], [queued, "aborted"])
        self.assertEqual(run(self.kc, "1")[0]["status"], "ok")

    def test_go_is_no_command(self):
        made = os.path.join(BASE, "made")
        for code, want in ((f'fmt.Print(`a\n!touch {made}\npackage b\n%reset\n`)', f"a\n!touch {made}\npackage b\n%reset\n"),
                           (f'/*\n!touch {made}\n*/\nfmt.Print(1)', "1"),
                           ('a, b := true, false\nc := a &&\n!b\nfmt.Print(c)', "true")):
            reply, out = run(self.kc, code)
            self.assertEqual([reply["status"], "".join(m["content"]["text"] for m in out)], ["ok", want], code)
        self.assertFalse(os.path.exists(made))

    def test_background_child(self):
        """A command's background process does not hold the cell; what it writes later is shown."""
        go = os.path.join(BASE, "go-on")
        os.mkfifo(go)
        wait = f"read x < {go}; echo late"
        for code in (f"!({wait}) & echo x", f"%%bash\n({wait}) &\necho x"):
            reply, out = run(self.kc, code)
            self.assertEqual([reply["status"], [m["content"]["text"] for m in out]], ["ok", ["x\n"]], code)
            with open(go, "w") as f:
                f.write("\n")
            while (m := self.kc.get_iopub_msg(timeout=60))["msg_type"] != "stream":
                pass
            self.assertEqual(m["content"]["text"], "late\n")
        _, out = run(self.kc, "!echo one\n!echo two; exit 3\nfmt.Println(3)")
        self.assertEqual("".join(m["content"]["text"] for m in out), "one\ntwo\nexit status 3\n3\n")

    def test_dot_import(self):
        reply, _ = run(self.kc, 'import . "math"\nSqrt(4)')
        self.assertEqual(reply["status"], "ok", reply)
        for code in ("1 + 2", "fmt.Println(3)", "func root() float64 { return Sqrt(9) }\nroot()", "%rm root", "var Pi = 3\nPi", "%rm Pi"):
            reply, _ = run(self.kc, code)
            self.assertEqual(reply["status"], "ok", (code, reply))

    def interrupted(self, km, kc, code, after):
        """Interrupts a cell so long after the client heard of it; returns what it showed and how long it took to end."""
        at, out = [], []

        def hook(m):
            out.append(m)
            if m["msg_type"] == "status" and not at:
                time.sleep(after)
                at.append(time.time())
                km.interrupt_kernel()

        reply = kc.execute_interactive(code, timeout=60, allow_stdin=False, output_hook=hook)["content"]
        took = time.time() - at[0]
        self.assertEqual(reply.get("ename"), "Interrupted", f"after {after} s: {reply}")
        return [m["content"] for m in out if m["msg_type"] not in ("status", "execute_input", "error")], took

    def test_interrupt_at_any_moment(self):
        """A cell that is composed, compiled, linked, starts and runs."""
        said = []
        for i in range(60):
            after = 0 if i < 20 else (i - 20) / 40 * 0.6
            shown, took = self.interrupted(self.km, self.kc, f'fmt.Println("began {i}")\ntime.Sleep(time.Hour)', after)
            self.assertIn(shown, ([], [{"name": "stdout", "text": f"began {i}\n"}]), after)
            said.append(took)
        print(f"interrupts: {max(said):.2f} s at most", flush=True)
        reply, out = run(self.kc, "1")
        self.assertEqual([reply["status"], out[0]["content"]["data"]["text/plain"]], ["ok", "1"])

    def test_interrupt_at_once(self):
        """A cell that still waits for GoNB, which starts with the kernel."""
        km, kc = start()
        self.addCleanup(lambda: (kc.stop_channels(), km.shutdown_kernel()))
        self.assertEqual(self.interrupted(km, kc, "time.Sleep(time.Hour)", 0)[0], [])
        self.assertEqual(run(kc, "1")[0]["status"], "ok")

    def test_interrupt_a_question(self):
        self.kc.execute('var a int\nfmt.Scanln(&a)', allow_stdin=True)
        self.kc.get_stdin_msg(timeout=60)
        self.km.interrupt_kernel()
        self.assertEqual(self.kc.get_shell_msg(timeout=60)["content"].get("ename"), "Interrupted")
        self.kc.execute('var a int\nfmt.Scanln(&a)\na * 2', allow_stdin=True)
        self.kc.get_stdin_msg(timeout=60)
        self.kc.input("21")
        self.assertEqual(self.kc.get_shell_msg(timeout=60)["content"]["status"], "ok")

    def test_complete_in_an_open_literal(self):
        """A cell that does not parse yet; gopls may still be loading, and is asked again."""
        head = 'import mk "github.com/ensemble-metamers/metamers/metamerkit"\n\n'
        for text, behind, want in (("var p = mk.Plan{Si", "\nmk.Must(mk.Study(p))", "Size"), ("var p = mk.Plan{\n\tSize: 32,\n\tSettings: mk.Settings{St", "", "Steps"),
                                   ("mk.Must(mk.OpenIm", "", "OpenImages")):
            found = []

            def offered():
                nonlocal found
                self.kc.complete(head + text + behind, cursor_pos=len(head + text))
                found = self.kc.get_shell_msg(timeout=60)["content"]["matches"]
                return want in found

            try:
                within(30, f"{want} in {text}", offered)
            except AssertionError as e:
                raise AssertionError(f"{e}; offered: {found}") from None

    def test_input(self):
        request = self.kc.execute('var a int\nfmt.Print("number: ")\nfmt.Scanln(&a)\na * 2', allow_stdin=True)
        m = self.kc.get_stdin_msg(timeout=60)
        self.assertEqual(m["content"], {"prompt": "", "password": False})
        self.kc.input("21")
        self.kc.get_shell_msg(timeout=60)
        found = []
        while True:
            m = self.kc.get_iopub_msg(timeout=60)
            if m["parent_header"].get("msg_id") != request:
                continue  # the end of an earlier one
            if m["msg_type"] == "execute_result":
                found.append(m["content"]["data"]["text/plain"])
            if m["msg_type"] == "status" and m["content"]["execution_state"] == "idle":
                break
        self.assertEqual(found, ["42"])
        # Without a front end that answers, input is at its end.
        _, out = run(self.kc, "var a int\n_, err := fmt.Scanln(&a)\nfmt.Println(err)")
        self.assertIn("EOF", out[0]["content"]["text"])

    def test_silent_and_expressions(self):
        count = run(self.kc, "1")[0]["execution_count"]
        out = []
        reply = self.kc.execute_interactive('fmt.Println(1)\n2', silent=True, store_history=False, output_hook=out.append, timeout=60)
        self.assertEqual([m["msg_type"] for m in out if m["msg_type"] != "status"], [])
        reply = self.kc.execute_interactive("1", store_history=False, user_expressions={"a": "6 * 7", "b": "nothere"}, output_hook=lambda m: None, timeout=60)
        self.assertEqual(reply["content"]["execution_count"], count)
        self.assertEqual(reply["content"]["user_expressions"]["a"]["data"]["text/plain"], "42")
        self.assertEqual(reply["content"]["user_expressions"]["b"]["status"], "error")

    def test_require(self):
        """A module comes from the registry when, and only when, a cell asks for it."""
        code = 'import "rsc.io/quote"\n\nquote.Go()'
        content, _ = run(self.kc, code)
        self.assertIn("rsc.io/quote: %require MODULE@VERSION", content["evalue"])
        content, out = run(self.kc, "%require rsc.io/quote@v1.5.2")
        self.assertEqual(content["status"], "ok", content)
        self.assertIn("added rsc.io/quote v1.5.2", out[0]["content"]["text"])
        content, out = run(self.kc, code)
        self.assertEqual(content["status"], "ok", content)
        self.assertIn("share memory by communicating", out[0]["content"]["data"]["text/plain"])
        content, _ = run(self.kc, "%require rsc.io/quote")
        self.assertEqual(content["ename"], "UsageError")

    def test_growth(self):
        """Many cells, a quarter of them new ones: no growth of files or memory."""
        kept = folders()[0] + "/tmp/imports"  # what goimports said, of the last texts

        def size():
            files = sum(len(f) for d, _, f in os.walk(folders()[0]) if d != kept)
            return files, sum(p.memory_info().rss for p in [psutil.Process(kernel_pid(self.km)), child(self.km, "gonb")])

        n = 2000 if LONG else 40
        for i in range(10):
            run(self.kc, f"{i % 10} + 1")
        files, memory = size()
        for i in range(n):
            reply, _ = run(self.kc, f"{i + 1000} + 1" if i % 4 == 0 else f"{i % 10} + 1")
            self.assertEqual(reply["status"], "ok")
        after, more = size()
        print(f"{n} cells: {files} → {after} files, {memory >> 20} → {more >> 20} MB", flush=True)
        self.assertLessEqual(after, files + 5)
        self.assertLessEqual(len(os.listdir(kept)) if os.path.exists(kept) else 0, 64)
        self.assertLess(more, memory + (40 << 20))
        self.assertLess(psutil.Process(kernel_pid(self.km)).num_fds(), 100)


class Programs(unittest.TestCase):
    """Without a session each cell is a program of its own."""

    def test_programs(self):
        km, kc = start_new_kernel(kernel_name="metamers-go", env=os.environ | {"METAMERS_KERNEL_STATE": "off"})
        self.addCleanup(lambda: (kc.stop_channels(), km.shutdown_kernel()))
        for code, name, value in (
            ("os.Exit(3)", "ExitError", "the program of the cell ended with exit status 3"),
            ('func half(a int) int {\n\treturn 1 / a\n}\nx := half(0)\nfmt.Println(x)', "panic", "runtime error: integer divide by zero"),
            ("x", "CompileError", "line 1: undefined: x"),
        ):
            reply, out = run(kc, code)
            self.assertEqual([reply["status"], reply.get("ename"), reply.get("evalue"), [m["msg_type"] for m in out]], ["error", name, value, ["error"]], code)
        reply, out = run(kc, "half(1)")  # declarations are kept
        self.assertEqual([reply["status"], out[0]["content"]["data"]["text/plain"]], ["ok", "1"])
        kc.execute("fmt.Println()\nfor { }")
        while kc.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        km.interrupt_kernel()
        self.assertEqual(kc.get_shell_msg(timeout=60)["content"].get("ename"), "Interrupted")
        self.assertEqual(run(kc, "%state")[1][0]["content"]["text"], "off\n")


if __name__ == "__main__":
    unittest.main()
