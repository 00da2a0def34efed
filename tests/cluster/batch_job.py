"""A batch script of slurm/ submitted to a Slurm, and what becomes of it."""
import re
import time

from launch import BUILD, ROOT
from small_sweep import parts, wait_until

GONE = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}


def ask_until(condition, seconds=120):
    """Slurm is asked a few times a second: the answers take the ranks' time."""
    def asked():
        time.sleep(0.2)
        return condition()

    wait_until(asked, seconds)


class BatchJob:
    """One job, or one task of an array: `task`."""

    def __init__(self, slurm, number, log):
        self.slurm, self.number, self.log_file = slurm, number, log

    def task(self, task):
        return BatchJob(self.slurm, f"{self.number}_{task}", str(self.log_file).replace("%a", str(task)))

    def shown(self, name):
        """A word of what Slurm shows of the job."""
        return re.search(rf"\b{name}=(\S+)", self.slurm.run("scontrol", "-o", "show", "job", self.number).stdout)[1]

    @property
    def state(self):
        return self.shown("JobState")

    @property
    def restarts(self):
        return int(self.shown("Restarts"))

    @property
    def log(self):
        with open(self.log_file) as text:
            return text.read()

    def signal(self, *words):
        self.slurm.run("scancel", *words, self.number)

    def left_the_node(self):
        return not self.slurm.run("squeue", "-h", "-j", self.number, "-t", "R,CG,CF").stdout.strip()

    def wait_for_requeue(self):
        ask_until(lambda: self.restarts == 1 or self.state in GONE)
        ask_until(self.left_the_node)
        assert self.state == "PENDING", self.log

    def start_now(self):
        """A requeued job waits two minutes; within the second of its end a node would refuse it."""
        time.sleep(1.5)
        self.slurm.run("scontrol", "update", f"JobId={self.number}", "StartTime=now")

    def wait_for_end(self):
        """The job's last state."""
        ask_until(lambda: self.state in GONE and self.left_the_node(), 300)
        return self.state


def submit(slurm, script, job, folder, *options, sbatch=("--ntasks=2",), scripts=ROOT / "slurm", **variables):
    """Submits slurm/`script`.sbatch from the folder above the sweep's, which is no checkout."""
    array = any(word.startswith("--array") for word in sbatch)
    log = folder.parent / f"{folder.name}{'-%a' if array else ''}.log"
    line = ["sbatch", "--parsable", "--time=20", f"--output={log}", *sbatch, scripts / f"{script}.sbatch", job, folder.name]
    done = slurm.run(*line, *options, cwd=folder.parent, **{"HEADSWEEP": str(BUILD / "headsweep"), **variables})
    return BatchJob(slurm, done.stdout.strip(), log)


def submit_and_wait_for_parts(slurm, script, job, folder, *options, count=2, **more):
    """Submits, and returns when the sweep has finished `count` blocks."""
    batch = submit(slurm, script, job, folder, *options, **more)
    ask_until(lambda: len(parts(folder)) >= count or batch.state in GONE)
    assert batch.state not in GONE, batch.log
    return batch
