"""comm's promises, on ranks that share this machine. What is asked of the ranks: comm_probe.cpp."""
import subprocess
from pathlib import Path

import pytest
from launch import BUILD, OVER_TCP, environment, run_ranks

PROBE = "tests/comm_probe"


def lines_of(ranks, *arguments, **how):
    done = run_ranks(ranks, PROBE, *arguments, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("ranks, options", [(1, ()), (2, ()), (4, ()), (64, ()), (4, OVER_TCP), (64, OVER_TCP)],
                         ids=["alone", "2", "4", "64", "4 over tcp", "64 over tcp"])
def test_counter_gives_each_number_once(ranks, options):
    numbers = 10_000 if ranks < 64 else 2_000
    drawn = [[int(n) for n in line.split()] for line in lines_of(ranks, "draw", numbers, options=options)]
    assert len(drawn) == ranks
    assert sorted(sum(drawn, [])) == list(range(numbers))
    assert all(mine == sorted(mine) for mine in drawn)


def test_ticks_of_a_busy_owner_answer_draws():
    busy_ms = 3000
    without = int(lines_of(3, "busy", busy_ms / 1000, 0, options=OVER_TCP)[0])
    with_tick = int(lines_of(3, "busy", busy_ms / 1000, 50, options=OVER_TCP)[0])
    assert without > 0.7 * busy_ms, "the test's own premise: a draw waits for its owner"
    assert with_tick < busy_ms / 3


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 70_000_000], ids=["1 byte", "several pieces"])
def test_collectives(ranks, size):
    lines = lines_of(ranks, "collectives", size)
    last = ranks - 1
    assert sorted(lines) == [f"{rank} 111 {sum(range(ranks))} {last}" for rank in range(ranks)]


@pytest.mark.parametrize("ranks, path", [(1, "alone"), (2, "host"), (4, "host")])
def test_group_without_gpus_takes_host_memory(ranks, path):
    lines = lines_of(ranks, "group", -1, 70_000_000)
    # A rank alone keeps what it has, which is rank 0's.
    assert lines == [f"{path} 1"] * ranks


def test_ranks_that_share_a_gpu_take_host_memory():
    if lines_of(1, "node")[0].endswith(" 0"):
        pytest.skip("no GPU here")
    assert lines_of(2, "group", 0, 1000) == ["host 1"] * 2


@pytest.mark.parametrize("ranks", [1, 4])
def test_ranks_know_their_place_on_the_node(ranks):
    places = sorted(tuple(map(int, line.split()[:4])) for line in lines_of(ranks, "node"))
    assert places == [(rank, ranks, rank, ranks) for rank in range(ranks)]


def test_a_program_without_mpirun_is_a_group_of_one():
    done = subprocess.run([BUILD / PROBE, "node"], env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()[:4]) == (0, ["0", "1", "0", "1"]), done.stderr


@pytest.mark.parametrize("code", [0, 1, 3, 4, 5])
def test_mpirun_passes_on_what_rank_0_returns(code):
    done = run_ranks(3, PROBE, "end", code)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("rank", [0, 2])
def test_abort_ends_all_ranks_with_its_code(rank):
    assert run_ranks(3, PROBE, "abort", rank, 3, timeout=30).returncode == 3


@pytest.mark.parametrize("ranks", [1, 4])
def test_ranks_of_a_host_share_memory_that_leaves_no_file(ranks):
    shared = set(Path("/dev/shm").glob("headsweep-*"))
    assert lines_of(ranks, "memory", 10_000_000) == ["seen 1"] * ranks
    assert set(Path("/dev/shm").glob("headsweep-*")) == shared


@pytest.mark.parametrize("temporary", ["/tmp", "/no/such/folder"])
def test_memory_that_no_folder_can_hold_is_refused_on_every_rank(monkeypatch, temporary):
    monkeypatch.setenv("TMPDIR", temporary)
    lines = lines_of(2, "memory", 10**17)
    assert len(lines) == 2 and all("no room for 100000000000000000 bytes of weights" in line for line in lines)
