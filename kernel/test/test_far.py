"""Cells whose engine is on another machine: over TCP, with a token, and with no folder
in common. The engine runs here, where it may, in a place of its own to mount things, in
which the folders of the notebook's user are empty."""

import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import start_new_kernel

PROGRAM = str(Path(KernelSpecManager().get_kernel_spec("metamers-go").argv[0]).parent / "metamers")
IMPORT = 'import mk "github.com/ensemble-metamers/metamers/metamerkit"\n\n'
RUN = IMPORT + """photos := mk.Must(mk.OpenImages("photos:4", 32))
mk.Must(mk.Synthesize(mk.Recipe{Models: mk.Set("plain7_48.mm_c10"), Stage: "late", Steps: %d}, photos))"""
STUDY = IMPORT + """p := mk.Plan{Images: "photos:4", Size: 32, Sets: [][]string{{"plain7_48.mm_c10"}}, Stages: []string{"early", "late"},
	Observers: []string{"plain7_48.mm_c10"}, Measures: []string{"recognizability"}, Settings: mk.Settings{Steps: 20}}
mk.Must(mk.Study(p)).Recognizability()"""


class Far(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Path(tempfile.mkdtemp(prefix="far-"))
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        cls.near, cls.far = cls.home / "near", cls.home / "far"
        for d in (cls.near, cls.far):
            d.mkdir()
        cls.token = None
        cls.engine, cls.address = cls.serve("127.0.0.1:0")
        cls.addClassCleanup(lambda: (cls.engine.kill(), cls.engine.communicate()))
        cls.token = cls.token_said

    @classmethod
    def serve(cls, where):
        """An engine on TCP that cannot see what the notebook's user has."""
        env = {k: v for k, v in os.environ.items() if k != "METAMERS_ENGINE"}
        env |= {"METAMERS_RUNS": str(cls.far / "runs"), "METAMERS_ENGINE_DIR": str(cls.far / "engine")}
        if cls.token:
            env["METAMERS_ENGINE_TOKEN"] = cls.token
        command = [PROGRAM, "engine", "serve", "--tcp", where]
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0:
            command = ["unshare", "--mount", "sh", "-ec", 'mount -t tmpfs none "$0"; exec "$@"', str(cls.near)] + command
        engine = subprocess.Popen(command, env=env, cwd=cls.far, stdout=subprocess.PIPE, text=True)
        address = engine.stdout.readline().strip()
        token = engine.stdout.readline().strip()
        assert address.startswith("METAMERS_ENGINE=tcp:127.0.0.1:"), address
        assert token.startswith("METAMERS_ENGINE_TOKEN="), token
        cls.token_said = token.partition("=")[2]
        return engine, address.partition("=")[2]

    def kernel(self, **env):
        env = os.environ | {"METAMERS_ENGINE": self.address, "METAMERS_ENGINE_TOKEN": self.token, "METAMERS_ENGINE_IDLE": "3s",
                            "METAMERS_RUNS": str(self.near / "runs"), "METAMERS_ENGINE_DIR": str(self.near / "engine")} | env
        km, kc = start_new_kernel(kernel_name="metamers-go", env=env, cwd=str(self.near))
        self.addCleanup(lambda: (kc.stop_channels(), km.shutdown_kernel()))
        return km, kc

    def run_cell(self, kc, code, hook=lambda m: None):
        out = []
        reply = kc.execute_interactive(code, timeout=240, allow_stdin=False, output_hook=lambda m: (out.append(m), hook(m)))
        return reply["content"], [m["content"] | {"type": m["msg_type"]} for m in out]

    def result(self, kc, code):
        reply, out = self.run_cell(kc, code)
        self.assertEqual(reply["status"], "ok", (reply, out))
        return next(m["data"] for m in out if m["type"] == "execute_result"), out

    def runs(self, side):
        return sorted(os.path.basename(d) for d in glob.glob(str(side / "runs" / "[0-9a-f]*")))

    def test_cells(self):
        km, kc = self.kernel()
        data, _ = self.result(kc, IMPORT + 'mk.OpenImages("photos:4", 32)')
        self.assertIn("image/png", data)
        data, out = self.result(kc, RUN % 400)
        self.assertIn("image/png", data)
        self.assertIn("of 4 images are metamers", data["text/plain"])
        shown = [m["data"]["text/html"] for m in out if m["type"] in ("display_data", "update_display_data")]
        self.assertTrue(any(re.search("<progress value.*step [0-9]+ of 400", s) for s in shown), shown)
        self.assertTrue(any("data:image/png" in s for s in shown), "no metamers as they emerge")
        data, _ = self.result(kc, STUDY)
        self.assertIn("image/png", data)
        # Both sides have the runs, as whole folders, and the engine has nothing of ours.
        self.assertEqual(len(self.runs(self.near)), 3)
        self.assertEqual(self.runs(self.near), self.runs(self.far))
        for run in self.runs(self.near):
            self.assertTrue((self.near / "runs" / run / "contact.png").exists())
        self.assertEqual(list(self.near.glob("runs/*/rows")), [])
        self.assertNotEqual(list(self.far.glob("runs/*/rows")), [])
        said = subprocess.run([PROGRAM, "runs", "verify", "--store", str(self.near / "runs")], capture_output=True, text=True)
        self.assertEqual(said.returncode, 0, said.stderr)
        # What is there is not made again.
        again, _ = self.result(kc, STUDY + " ")
        self.assertEqual(again["image/png"], data["image/png"])
        self.assertEqual(len(self.runs(self.far)), 3)

    def test_interrupt(self):
        km, kc = self.kernel()
        seen = []

        def hook(m):
            if m["msg_type"] in ("display_data", "update_display_data") and not seen and "<progress value" in m["content"]["data"]["text/html"]:
                seen.append(time.monotonic())
                km.interrupt_kernel()

        reply, out = self.run_cell(kc, RUN % 1_000_000, hook)
        self.assertEqual(reply["ename"], "Interrupted", out)
        env = os.environ | {"METAMERS_ENGINE": self.address, "METAMERS_ENGINE_TOKEN": self.token}
        for _ in range(1000):
            said = subprocess.run([PROGRAM, "engine", "status"], env=env, capture_output=True, text=True)
            if "0 requests in progress" in said.stdout:
                break
            time.sleep(0.1)
        else:
            self.fail(said.stdout + said.stderr)

    @unittest.skipUnless(os.environ.get("METAMERS_REQUIRE_DATA") or os.path.exists("/usr/sbin/sshd") and shutil.which("ssh"), "needs sshd and ssh (apt-get install openssh-server)")
    def test_ssh(self):
        """Through a real tunnel, which breaks in the middle of a cell and comes back."""
        d = Path(tempfile.mkdtemp(prefix="far-ssh-"))
        self.addCleanup(shutil.rmtree, d, ignore_errors=True)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(d / key)], check=True)
        shutil.copy(d / "user.pub", d / "authorized")
        ports = []
        for _ in range(2):
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                ports.append(s.getsockname()[1])
        door, near = ports
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        said = open(d / "log", "w")
        self.addCleanup(said.close)
        sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(door), "-o", "ListenAddress=127.0.0.1", "-o", f"HostKey={d}/host", "-o", "PidFile=none",
                                 "-o", f"AuthorizedKeysFile={d}/authorized", "-o", "StrictModes=no", "-o", "PasswordAuthentication=no", "-o", "UsePAM=no"], stderr=said)
        self.addCleanup(lambda: (sshd.kill(), sshd.wait()))

        def tunnel():
            """ssh -N -L, as docs/kernel.md has it; returns when it carries."""
            for _ in range(50):
                p = subprocess.Popen(["ssh", "-N", "-L", f"{near}:{self.address.removeprefix('tcp:')}", "-p", str(door), "-i", str(d / "user"), "-F", "none", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes",
                                      "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={d}/known", "127.0.0.1"], stderr=subprocess.DEVNULL)
                while p.poll() is None:
                    with socket.socket() as s:
                        if s.connect_ex(("127.0.0.1", near)) == 0:
                            self.addCleanup(lambda: (p.kill(), p.wait()))
                            return p
                    time.sleep(0.05)
                time.sleep(0.1)  # sshd does not answer yet
            self.fail("no tunnel: " + (d / "log").read_text())

        way = tunnel()
        _, kc = self.kernel(METAMERS_ENGINE=f"tcp:127.0.0.1:{near}")
        data, _ = self.result(kc, STUDY)
        self.assertIn("image/png", data)
        broken = []

        def hook(m):
            if m["msg_type"] in ("display_data", "update_display_data") and not broken and re.search("<progress value.*step", m["content"]["data"]["text/html"]):
                broken.append(True)
                way.kill()

        reply, out = self.run_cell(kc, RUN % 1000, hook)
        self.assertEqual([reply["status"], broken], ["error", [True]], out)
        self.assertIn("ended while it worked", str(out))
        tunnel()
        data, _ = self.result(kc, RUN % 1000)
        self.assertIn("of 4 images are metamers", data["text/plain"])

    def test_wrong_token(self):
        _, kc = self.kernel(METAMERS_ENGINE_TOKEN="wrong")
        reply, out = self.run_cell(kc, RUN % 5)
        self.assertEqual(reply["status"], "error")
        said = str(reply) + "".join(m.get("text", "") for m in out)
        self.assertIn("the token is missing or wrong", reply["evalue"])
        self.assertEqual([m["type"] for m in out if m["type"] not in ("status", "execute_input")], ["error"])  # said once
        self.assertNotIn(self.token, said)

    def test_lost_and_found(self):
        """The engine ends in the middle; on its old port, with its old token, it is found again."""
        cls = type(self)
        _, kc = self.kernel()
        began = []

        def hook(m):
            if m["msg_type"] in ("display_data", "update_display_data") and not began and "<progress value" in m["content"]["data"]["text/html"]:
                began.append(True)
                cls.engine.send_signal(signal.SIGKILL)

        reply, out = self.run_cell(kc, RUN % 1_000_001, hook)
        cls.engine.communicate()
        self.assertEqual(reply["status"], "error")
        self.assertIn("ended while it worked", str(out))
        reply, out = self.run_cell(kc, RUN % 6)
        self.assertEqual(reply["status"], "error")
        self.assertIn("no engine answers at " + self.address, str(out))
        cls.engine, address = cls.serve(self.address.removeprefix("tcp:"))
        self.assertEqual(address, self.address)
        self.assertEqual(cls.token_said, self.token)
        self.result(kc, RUN % 6)


if __name__ == "__main__":
    unittest.main()
