"""A real Slurm on this machine, by any user: munged, slurmctld and a slurmd for each of two nodes, with state, sockets and
ports of their own, so that several of them, and one that the machine has anyway, do not meet. MPI takes the two nodes for two
machines that TCP joins."""
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
NODES = ("n1", "n2")
# Daemons stand where only root looks.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
# Of a node; more than the machine may have, for ranks of tests share it.
CPUS, MEMORY = 8, 65536

# `urgent` preempts the others; jobs in `warned` get a TERM and 10 seconds before that.
CONF = """\
ClusterName=two
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MpiDefault=none
JobRequeue=0
KillWait=10
PartitionName=DEFAULT Nodes=ALL MaxTime=INFINITE State=UP
PartitionName=main Default=YES PriorityTier=1
PartitionName=warned PriorityTier=1 GraceTime=10
PartitionName=urgent PriorityTier=2
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory} State=UNKNOWN\n"


class CannotRun(Exception):
    """Why no Slurm runs here."""


def free_ports(count):
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


class TwoNodes:
    """Is there from `with` to its end; then jobs are cancelled, daemons stopped and the folder removed."""

    def __enter__(self):
        missing = [name for name in (*DAEMONS, "sbatch") if not shutil.which(name, path=PATH)]
        if missing:
            raise CannotRun(f"no Slurm here ({', '.join(missing)} not found); on Debian: apt install slurm-wlm munge")
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, for names of sockets
        self.daemons = []
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        self.environment = {**outer, "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf"), "OMP_NUM_THREADS": "1",
                            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.run("scancel", f"--user={getpass.getuser()}", check=False)
        end = time.monotonic() + 20
        while self.run("squeue", "-h", check=False).stdout.strip() and time.monotonic() < end:
            time.sleep(0.2)
        self.stop()

    def start(self):
        port, *ports = free_ports(1 + len(NODES))
        host = socket.gethostname().split(".")[0]
        conf = CONF.format(folder=self.folder, host=host, user=getpass.getuser(), port=port)
        for name, own in zip(NODES, ports):
            conf += NODE.format(name=name, host=host, port=own, cpus=CPUS, memory=MEMORY)
        (self.folder / "slurm.conf").write_text(conf)
        for name in ("state", "spool", "log", *(f"tmp/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        self.folder.chmod(0o711)  # munge wants its socket to be seen by all
        self.launch("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
                    f"--pid-file={self.folder}/munged.pid", f"--seed-file={self.folder}/munged.seed",
                    f"--log-file={self.folder}/log/munged.log")
        self.wait_for("munged's socket", lambda: (self.folder / "munge.socket").exists())
        self.launch("slurmctld", "-D")
        for node in NODES:
            self.launch("slurmd", "-D", "-N", node)
        self.wait_for("idle nodes", lambda: f"{len(NODES)} idle" in self.run("sinfo", "-ho", "%D %T", check=False).stdout)

    def launch(self, *line):
        with (self.folder / "log" / f"{line[0]}-{len(self.daemons)}.out").open("w") as log:
            self.daemons.append(subprocess.Popen(line, env=self.environment, stdout=log, stderr=log, start_new_session=True))

    def wait_for(self, what, condition):
        end = time.monotonic() + 20
        while not condition():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self.daemons):
                logs = "\n".join(log.read_text()[-1000:] for log in sorted((self.folder / "log").iterdir()))
                raise CannotRun(f"Slurm does not start here: no {what}\n{logs}")
            time.sleep(0.1)

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *line, check=True, cwd=None, **variables):
        """One command under this Slurm, to its end; `variables` are added to its environment."""
        done = subprocess.run([str(word) for word in line], env=self.environment | variables, cwd=cwd,
                              capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done
