"""Where and how the benchmark runs: folders, child processes with their CPU seconds and memory, the machine."""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parents[1]
WORLD = ROOT / "jobs" / "tinyworld"  # the built-in model
CPU_WORDS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
PACKAGES = ("torch", "transformers", "peft", "trl")


class Failed(Exception):
    """A program that was measured did not end well; the message is its last line."""


@dataclass(frozen=True)
class Taken:
    """What a program took and said."""

    seconds: float
    cpu: float  # seconds, with its children's
    code: int
    out: str
    errors: str

    @property
    def lines(self) -> list[dict]:
        """Its standard output, one JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Place:
    """Folders of one run of the benchmark, and how thorough it is."""

    build: Path
    work: Path
    rounds: int
    quick: bool

    @property
    def headsweep(self) -> Path:
        return self.build / "headsweep"

    def bench(self, name: str) -> Path:
        """A program of tests/bench."""
        return self.build / "tests" / f"bench_{name}"

    def folder(self, name: str) -> Path:
        """An empty folder for a sweep or a job."""
        folder = self.work / name
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir(parents=True)
        return folder

    def model(self, name: str) -> Path:
        """The random model `name`; made when first asked for, its pairs beside it."""
        folder = self.work / "models" / name
        if not folder.with_suffix(".jsonl").exists():
            run(python(), BENCH / "peers" / "models.py", folder.parent, name)
        return folder


def python() -> Path:
    return Path(sys.executable)


def environment() -> dict[str, str]:
    """One thread each, and leave to start ranks as root."""
    return os.environ | dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                             OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", HF_HUB_OFFLINE="1")


class Child:
    """A started program; its text goes to files, so that it never waits for us."""

    def __init__(self, *words: object, cwd: Path = ROOT) -> None:
        self.words = [str(word) for word in words]
        self._out, self._errors = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        self.started = time.time()  # seconds since 1970
        self.process = subprocess.Popen(self.words, stdout=self._out, stderr=self._errors, env=environment(), cwd=cwd)

    def megabytes(self, field: str) -> float:
        """VmRSS or VmHWM, now; 0 when it has ended."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"^{field}:\s*(\d+) kB", status, re.MULTILINE)
        return 1.024e-3 * int(found[1]) if found else 0.0

    def runs(self) -> bool:
        """Leaves the end to `wait`."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self, *allowed: int) -> Taken:
        """Ends with code 0 or one of `allowed`, or Failed is raised."""
        _, status, usage = os.wait4(self.process.pid, 0)
        seconds, code = time.time() - self.started, os.waitstatus_to_exitcode(status)
        self.process.returncode = code
        self._out.seek(0)
        self._errors.seek(0)
        taken = Taken(seconds, usage.ru_utime + usage.ru_stime, code, self._out.read(), self._errors.read())
        if code not in (0, *allowed):
            said = (taken.errors.strip() or taken.out.strip() or "nothing").splitlines()[-1]
            raise Failed(f"{Path(self.words[0]).name} {' '.join(self.words[1:4])}: exit code {code}: {said}")
        return taken


def run(*words: object, allowed: tuple[int, ...] = ()) -> Taken:
    return Child(*words).wait(*allowed)


def on_ranks(count: int, *words: object) -> list[object]:
    """The words that start a program on so many ranks."""
    return ["mpirun", "-q", "--bind-to", "none", "--oversubscribe", "-n", count, *words]


def median(values: list[float]) -> float:
    return statistics.median(values)


def spread(values: list[float], digits: int = 2) -> str:
    """`1.02 (0.98 to 1.05)`, or the value alone where there is one."""
    middle = f"{median(values):.{digits}f}"
    return middle if len(values) < 2 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def cpu_in_words() -> str:
    """Kind of processor, its count, and the instructions that matter here."""
    text = Path("/proc/cpuinfo").read_text()

    def field(name: str) -> str:
        found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
        return found[1].strip() if found else "?"

    flags = field("flags").split()
    kinds = ", ".join(word for word in CPU_WORDS if word in flags) or platform.machine()
    return (f"{field('model name')} (family {field('cpu family')}, model {field('model')}), {os.cpu_count()} CPUs; "
            f"{kinds}; without {', '.join(word for word in CPU_WORDS if word not in flags) or 'nothing'}")


def versions_in_words() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)


def revision() -> str:
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def stamp() -> dict:
    """When, from what, and how busy the machine was."""
    return dict(date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), revision=revision(),
                load=round(os.getloadavg()[0], 1))
