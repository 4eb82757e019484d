"""A session that keeps what cells define, in real Jupyter clients."""

import os
import signal
import unittest

import psutil
from jupyter_client.manager import start_new_kernel
from test_life import kernel_pid, nothing_left, run, start, within


def texts(out):
    """What a cell showed, as text."""
    return [m["content"]["text"] if m["msg_type"] == "stream" else m["content"]["data"]["text/plain"] for m in out if m["msg_type"] in ("stream", "execute_result", "display_data")]


def host(km):
    for p in psutil.Process(kernel_pid(km)).children():
        if p.name().startswith("host-"):
            return p
    raise AssertionError("no process of a session")


class Session(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.km, cls.kc = start()

    @classmethod
    def tearDownClass(cls):
        cls.kc.stop_channels()
        cls.km.shutdown_kernel()

    def show(self, code, *want):
        content, out = run(self.kc, code)
        self.assertEqual(content["status"], "ok", content)
        got = texts(out)
        if out and all(m["msg_type"] == "stream" for m in out):
            got = ["".join(got)]
        self.assertEqual(got, list(want), code)

    def refuse(self, code, name, value):
        content, out = run(self.kc, code)
        self.assertEqual([content.get("ename"), [m["msg_type"] for m in out if m["msg_type"] == "error"]], [name, ["error"]], content)
        self.assertIn(value, content["evalue"])
        return "\n".join(content["traceback"])

    def test_state(self):
        self.show("x := 3\nm := map[string]int{}")
        self.show('x++\nm["k"] = x')
        self.show('x + m["k"]', "8")
        self.show("func half(a int) int {\n\treturn 1 / a\n}")
        trace = self.refuse("y := 7\nhalf(0)", "panic", "integer divide by zero")
        self.assertIn("line 2, in half", trace)
        self.assertIn("line 2, in Run", trace)
        self.assertNotIn("host", trace)
        self.show("y", "7")
        self.refuse("z := nothere", "CompileError", "line 1: undefined: nothere")
        self.assertIn("x", "".join(texts(run(self.kc, "%vars")[1])))

        def offered():
            self.kc.complete("hal", cursor_pos=3)
            return "half" in self.kc.get_shell_msg(timeout=60)["content"]["matches"]

        within(30, "half is offered", offered)
        self.show("%%\nx := 1\nfmt.Println(x)", "1\n")
        self.show("x", "4")
        self.show("!echo hello", "hello\n")
        self.show("w := 5\n!echo behind\nfmt.Println(w)\n!echo last", "behind\n5\nlast\n")
        self.assertIn("later", "".join(texts(run(self.kc, "later := 7\n%vars")[1])))
        self.show("%rm x")
        self.refuse("x", "CompileError", "undefined: x")

    def test_input(self):
        self.kc.execute('var number int\nfmt.Print("number: ")\nfmt.Scanln(&number)', allow_stdin=True)
        self.kc.get_stdin_msg(timeout=60)
        self.kc.input("21")
        self.assertEqual(self.kc.get_shell_msg(timeout=60)["content"]["status"], "ok")
        self.show("number * 2", "42")
        self.show("_, err := fmt.Scanln(&number)\nfmt.Println(err)", "EOF\n")
        self.kc.execute("number = 5\nfmt.Scanln(&number)", allow_stdin=True)
        self.kc.get_stdin_msg(timeout=60)
        self.km.interrupt_kernel()
        self.assertEqual(self.kc.get_shell_msg(timeout=60)["content"].get("ename"), "Interrupted")
        self.show("number", "5")

    def test_interrupt(self):
        self.show("turns := 0")
        for code in ("for {\n\tturns++\n\tif turns == 1 {\n\t\tfmt.Println()\n\t}\n}", "fmt.Println()\ntime.Sleep(time.Hour)", "fmt.Println()\n<-time.After(time.Hour)"):
            self.kc.execute(code)
            while self.kc.get_iopub_msg(timeout=60)["msg_type"] != "stream":
                pass
            self.km.interrupt_kernel()
            content = self.kc.get_shell_msg(timeout=60)["content"]
            self.assertEqual([content["status"], content.get("ename"), content.get("evalue")], ["error", "Interrupted", "the cell was interrupted"])
        self.show("turns > 0", "true")
        self.show("turns = 5\nturns", "5")

    def test_kill(self):
        self.show("kept := 1")
        host(self.km).send_signal(signal.SIGKILL)
        within(5, "its end noticed", lambda: texts(run(self.kc, "%vars")[1]) == ["no variables"])
        content, out = run(self.kc, "1 + 1")
        self.assertEqual(content["status"], "ok")
        self.assertIn("kept", texts(out)[0])
        self.assertEqual(texts(out)[1:], ["2"])
        self.assertIn("kept was lost", self.refuse("kept", "CompileError", "undefined: kept"))
        self.kc.execute("kept := 2\nfmt.Println()\ntime.Sleep(time.Hour)")
        while self.kc.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        host(self.km).send_signal(signal.SIGKILL)
        content = self.kc.get_shell_msg(timeout=60)["content"]
        self.assertEqual(content["ename"], "SessionEnded")
        self.assertIn("signal: killed", content["evalue"])
        self.show("3", "3")

    def test_goroutines(self):
        self.show("next, done := make(chan int), make(chan bool)\ngo func() { for i := range next { fmt.Println(i) }; close(done) }()")
        self.show("next <- 1\nnext <- 2\nclose(next)\n<-done;", "1\n2\n")

    def test_restart(self):
        self.show('import str "strings"\nold := 1')
        self.show("%restart")
        self.refuse("old", "CompileError", "undefined: old")
        self.show('str.ToUpper("a")', "A")
        self.show("%reset")
        self.refuse('str.ToUpper("a")', "CompileError", "undefined: str")

    def test_gonbui(self):
        """Displays by GoNB's own package, before and after a restart, and right before the end of the process."""
        show = 'import "github.com/janpfeifer/gonb/gonbui"\ngonbui.DisplayHtml("<i>x</i>")'

        def shown(code):
            return [m["content"]["data"]["text/html"] for m in run(self.kc, code)[1] if m["msg_type"] == "display_data"]

        for end in ("%restart", "%restart", show + "\nos.Exit(1)"):
            self.assertEqual(shown(show), ["<i>x</i>"])
            self.assertEqual(len(shown(end)), "Exit" in end)
        self.assertEqual(shown(show), ["<i>x</i>"])

    def test_two(self):
        km, kc = start()
        self.addCleanup(lambda: (kc.stop_channels(), km.shutdown_kernel()))
        self.assertEqual(run(kc, "mine := 1")[0]["status"], "ok")
        self.refuse("mine", "CompileError", "undefined: mine")
        self.assertEqual(texts(run(kc, "mine")[1]), ["1"])

    def test_off(self):
        self.show("%state", "on\n")
        self.show("%state off")
        self.show("a := 1\na", "1")
        self.refuse("a", "CompileError", "undefined: a")
        self.show("%state on")


class Without(unittest.TestCase):
    def test_no_cgo(self):
        """The first cell says that there is no session, and why; all cells are programs."""
        km, kc = start_new_kernel(kernel_name="metamers-go", env=os.environ | {"CGO_ENABLED": "0"})
        self.addCleanup(lambda: (kc.stop_channels(), km.shutdown_kernel()))
        content, out = run(kc, "x := 1\nx + 1")
        self.assertEqual([content["status"], texts(out)], ["ok", ["no session that keeps variables, each cell is a program of its own: a session needs cgo, and CGO_ENABLED is 0: start Jupyter without it\n", "2"]])
        content, out = run(kc, "3")
        self.assertEqual([content["status"], texts(out)], ["ok", ["3"]])
        self.assertEqual(run(kc, "x")[0].get("ename"), "CompileError")


class Ends(unittest.TestCase):
    def test_kill_the_kernel(self):
        km, kc = start()
        self.addCleanup(kc.stop_channels)
        self.assertEqual(run(kc, 'exec.Command("sleep", "1000").Start()')[0]["status"], "ok")
        os.kill(kernel_pid(km), signal.SIGKILL)
        within(5, "all gone", nothing_left)


if __name__ == "__main__":
    unittest.main()
