"""The whole of jupyter_kernel_test: every test has its samples, none is skipped."""

import unittest

import jupyter_kernel_test

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
            while (reply := cls.kc.get_shell_msg(timeout=15))["msg_type"] != "inspect_reply":
                pass
            if reply["content"]["found"]:
                break


class Welcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "metamers-go"
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main()
