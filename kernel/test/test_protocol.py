"""The whole of jupyter_kernel_test: every test has its samples, none is skipped."""

import unittest

import jupyter_kernel_test
from jupyter_kernel_test.msgspec_v5 import validate_message

PATIENCE = 120  # seconds for a message, on a busy machine
jupyter_kernel_test.TIMEOUT = PATIENCE
SHOW = 'import "github.com/ensemble-metamers/metamers/metamerkit/display"\n'


class Protocol(jupyter_kernel_test.KernelTests):
    kernel_name = "metamers-go"
    language_name = "go"
    file_extension = ".go"
    code_hello_world = 'fmt.Println("hello, world")'
    code_stderr = 'fmt.Fprintln(os.Stderr, "oops")'
    code_page_something = "%help"
    code_generate_error = 'panic("boom")'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "%%\nx := []int{1, 2}\nx", "result": "[1 2]"},
        {"code": SHOW + 'display.HTML("<b>x</b>")', "result": "<b>x</b>", "mime": "text/html"},
    ]
    code_display_data = [
        {"code": SHOW + 'display.Show(display.SVG("<svg xmlns=\'http://www.w3.org/2000/svg\'/>"))', "mime": "image/svg+xml"},
        {"code": SHOW + "display.Show(image.NewGray(image.Rect(0, 0, 2, 2)))", "mime": "image/png"},
        {"code": 'import "github.com/janpfeifer/gonb/gonbui"\ngonbui.DisplaySvg("<svg xmlns=\'http://www.w3.org/2000/svg\'/>")', "mime": "image/svg+xml"},
        {"code": 'import "github.com/janpfeifer/gonb/gonbui"\ngonbui.DisplayHtml("<i>x</i>")', "mime": "text/html"},
    ]
    code_clear_output = SHOW + "fmt.Println(1)\ndisplay.Clear(false)"
    code_inspect_sample = "fmt.Println(1)"
    code_history_pattern = "6 * 7"
    supported_history_operations = ("tail", "range", "search")
    completion_samples = [{"text": "%hel", "matches": {"%help"}}, {"text": "fmt.Print"}, {"text": "retur", "matches": {"return"}}]
    complete_code_samples = ["1 + 1", "func f() int { return 1 }", "%%\nx := 1\nx", "!ls", "%%bash\nfor i in 1 2; do"]
    incomplete_code_samples = ["func f() {", "for i := range 3 {", "x :=", "var s = `a", "%%"]
    invalid_code_samples = ["x := )", "1 1", '"abc']


    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A cold gopls may need longer than the second that an answer may take.
        for _ in range(100):
            cls.kc.inspect("fmt.Println(1)")
            while (reply := cls.kc.get_shell_msg(timeout=PATIENCE))["msg_type"] != "inspect_reply":
                pass
            if reply["content"]["found"]:
                break

    # What follows stands in for methods of jupyter_kernel_test that give a message a tenth
    # of a second, or gopls one try.

    def flush_channels(self):
        request = self.kc.kernel_info()
        while self.kc.get_shell_msg(timeout=PATIENCE)["parent_header"].get("msg_id") != request:
            pass
        while True:
            m = self.kc.get_iopub_msg(timeout=PATIENCE)
            if m["parent_header"].get("msg_id") == request and m["content"].get("execution_state") == "idle":
                return

    def execute_helper(self, code, timeout=PATIENCE, **options):
        request = self.kc.execute(code, **options)
        reply = self.get_non_kernel_info_reply(timeout=timeout)
        validate_message(reply, "execute_reply", request)
        states, out = [], []
        while states[-1:] != ["idle"]:
            m = self.kc.get_iopub_msg(timeout=timeout)
            if m["parent_header"].get("msg_id") != request:
                continue  # the end of an earlier one
            validate_message(m, m["msg_type"], request)
            if m["msg_type"] == "status":
                states.append(m["content"]["execution_state"])
            elif m["msg_type"] == "execute_input":
                self.assertEqual(m["content"]["code"], code)
            else:
                out.append(m)
        self.assertEqual(states, ["busy", "idle"])
        return reply, out

    def patiently(self, test):
        """Repeats a test of what gopls answers, for which the kernel waits a second."""
        for last in [False] * 99 + [True]:
            try:
                return test()
            except AssertionError:
                if last:
                    raise

    def test_completion(self):
        for sample in self.completion_samples:
            self.patiently(lambda: self.completed(sample))

    def completed(self, sample):
        request = self.kc.complete(sample["text"])
        reply = self.get_non_kernel_info_reply(timeout=PATIENCE)
        validate_message(reply, "complete_reply", request)
        matches = set(reply["content"]["matches"])
        self.assertEqual(matches, sample.get("matches", matches))

    def test_inspect(self):
        self.patiently(super().test_inspect)


class Welcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "metamers-go"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main()
