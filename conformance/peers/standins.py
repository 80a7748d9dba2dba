"""The process with the stand-ins, and the frame of a peer: every check is tried, each prints one line."""

import json
import subprocess
import sys
import tempfile


class StandIns:
    def __init__(self, program, log):
        self.process = subprocess.Popen(
            [program, "--log", log], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the stand-ins did not start")
        self.addresses = json.loads(line)

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer

    def fail(self, service, label, fault, times=1):
        self.tell(fail={"service": service, "label": label, "fault": fault, "times": times})

    def calls(self, service, label):
        return self.tell(calls={"service": service, "label": label})["calls"]

    def close(self):
        self.process.stdin.close()
        return self.process.wait(timeout=300)


def main(checks, summary=lambda standins, log: ""):
    """Runs the checks against the program that the first argument names; the exit status says whether all passed."""
    failed = 0
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as log:
        standins = StandIns(sys.argv[1], log.name)
        for function in checks:
            name = function.__name__.replace("_", " ")
            try:
                function(standins)
            except Exception as error:
                failed += 1
                print(f"FAILED  {name}: {type(error).__name__}: {error}")
            else:
                print(f"ok      {name}")
        more = summary(standins, log.name)
        status = standins.close()
        print(f"{len(checks) - failed} of {len(checks)} checks passed{more}")
    sys.exit(1 if failed or status != 0 else 0)
