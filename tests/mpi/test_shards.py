"""Sweeps in several launches: shards with and without a common folder, and sweeps that grow."""
import os
import signal

import h5py

from small_sweep import differing, events, headsweep, kill_everything, parts, ranks_of, start, sweep, wait_until, write_job


def test_shards_side_by_side_in_one_folder(whole, tmp_path):
    job, folder = whole
    runs = tmp_path / "runs"
    processes = [start(job, runs, "--resume", "--shard", f"{i}/3", ranks=1 + i % 2) for i in (1, 2, 3)]
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    assert differing(folder / "results.h5", runs / "results.h5") == []
    assert sum(event["event"] == "done" for event in events(runs)) == len(parts(folder))
    assert {event.get("shard", 1) for event in events(runs)} == {1, 2, 3}


def test_a_shard_keeps_others_out(whole, tmp_path):
    job, _ = whole
    runs = tmp_path / "runs"
    process = start(job, runs, "--shard", "2/3")
    wait_until(lambda: (runs / "tune" / "engine.json").exists())
    pid, = ranks_of(runs)
    os.kill(pid, signal.SIGSTOP)  # it shall not end before it was seen
    for words in (["--shard", "2/3"], ["--shard", "1/2"], []):
        refused = sweep(job, runs, "--resume", *words)
        assert refused.returncode == 3 and f"lock-2-of-3: a sweep with pid {pid} on host " in refused.stderr
    os.kill(pid, signal.SIGCONT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "shard 2 of 3 has done its share" in output


def test_shards_in_folders_of_their_own_are_gathered(whole, tmp_path):
    job, folder = whole
    for i in (1, 2):
        done = sweep(job, tmp_path / f"shard{i}", "--shard", f"{i}/2")
        assert done.returncode == 0, done.stderr
    gathered = headsweep("gather", tmp_path / "shard1", tmp_path / "shard2", "-o", tmp_path / "all.h5")
    assert gathered.returncode == 0, gathered.stderr
    assert differing(folder / "results.h5", tmp_path / "all.h5") == []


LARGER = {"draws: 4": "draws: 9", "tau: [0.1, 0.3]": "tau: [0.1, 0.2, 0.3]", "seeds: [0]": "seeds: [0, 1]",
          "  all: all\n": "  all: all\n  one: {heads: [L1.H1]}\n", "at: [claimed,": "at: [claimed, one,",
          "learning_rate: {2:": "learning_rate: {1: 0.05, 2:"}


def test_a_finished_sweep_is_given_more(whole, tmp_path):
    _, folder = whole
    job = write_job(tmp_path)
    assert sweep(job, tmp_path / "runs").returncode == 0
    (tmp_path / "larger").mkdir()
    larger = write_job(tmp_path / "larger", **LARGER)
    refused = sweep(larger, tmp_path / "runs", "--resume")
    assert refused.returncode == 3 and "headsweep extend" in refused.stderr
    extended = headsweep("extend", tmp_path / "runs", larger)
    assert extended.returncode == 0, extended.stderr
    done = sweep(larger, tmp_path / "runs", "--resume", ranks=2)
    assert done.returncode == 0, done.stderr
    with h5py.File(folder / "results.h5") as before, h5py.File(tmp_path / "runs" / "results.h5") as after:
        old, new = before["trials/hash"][()], after["trials/hash"][()]
        assert (new[:len(old)] == old).all() and len(new) == 2 * 3 * (1 + 1 + 9 + 1 + 1) + 3 + 2 * 2
        assert (after["trials/status"][()] == b"done").all()
        for name in ("metrics/test/truth_info", "trials/norm_b", "items/mc2"):
            assert after[name][:len(old)].tobytes() == before[name][()].tobytes()
        locations = after["locations/name"][()]
        assert len(set(locations)) == len(locations)
        assert len(before["extensions/utc"]) == 0 and extensions(after) == [(len(old), len(new), len(old))]


def extensions(file: h5py.File) -> list[tuple]:
    """Trials before and after each extension, and those done by then, by time."""
    utc, *counts = (file[f"extensions/{name}"][()].tolist() for name in ("utc", "trials_before", "trials_after", "trials_done"))
    assert all(len(one) == 20 and one.endswith(b"Z") for one in utc) and utc == sorted(utc)
    return list(zip(*counts))


def test_extensions_are_counted_whatever_happens(whole, tmp_path):
    """Begun in two folders, killed in one, extended twice in both, the second time by nothing; gathered together."""
    job, folder = whole
    more = write_job(tmp_path, **LARGER)
    for i in (1, 2):
        assert sweep(job, tmp_path / f"shard{i}", "--shard", f"{i}/2", "--limit", f"{i}").returncode in (0, 5)
    done = []
    for i in (1, 2):
        runs = tmp_path / f"shard{i}"
        done.append(sum(event["trials"] for event in events(runs) if event["event"] == "done"))
        for _ in range(2):
            extended = headsweep("extend", runs, more)
            assert extended.returncode == 0, extended.stderr
    assert all(0 < count for count in done) and sum(done) < 19
    process = start(more, tmp_path / "shard1", "--shard", "1/2", "--resume")
    wait_until(lambda: len(parts(tmp_path / "shard1")) > 1)
    kill_everything(process, tmp_path / "shard1")
    for i in (1, 2):
        assert sweep(more, tmp_path / f"shard{i}", "--shard", f"{i}/2", "--resume").returncode == 0
    for folders, count in (([1], done[0]), ([2, 1], sum(done))):
        gathered = headsweep("gather", *[tmp_path / f"shard{i}" for i in folders], "-o", tmp_path / "all.h5")
        assert gathered.returncode == 0, gathered.stderr
        with h5py.File(tmp_path / "all.h5") as file, h5py.File(folder / "results.h5") as before:
            assert extensions(file) == [(len(before["trial"]), len(file["trial"]), count)]


def test_another_science_is_not_more_of_a_sweep(whole, tmp_path):
    _, folder = whole
    other = write_job(tmp_path, **{"batch: 8": "batch: 4", "draws: 4": "draws: 9"})
    refused = headsweep("extend", folder, other)
    assert refused.returncode == 3
    assert "training.batch is '8' there and '4' now" in refused.stderr and "draws is" not in refused.stderr
    changed = headsweep("extend", folder, other, "--set", "training.batch=8", "--set", "model.precision=bf16")
    assert "model.precision is 'f32' there and 'bf16' now" in changed.stderr and "batch" not in changed.stderr
    less = write_job(tmp_path, **{"draws: 4": "draws: 3"})
    assert "a sweep can be given more, not less" in headsweep("extend", folder, less).stderr
