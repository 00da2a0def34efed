# slurm/common.sh: what the batch scripts share: run a sweep, pass signals on to it, requeue the Slurm job if it stopped early.
# Settings come from the environment or from slurm/site.sh beside this file, which is yours (`module load` lines go there):
#   HEADSWEEP  the program; default: build/headsweep of the checkout that this file belongs to
#   LAUNCHER   srun (the default), mpirun, or a launch line of your own such as "srun --mpi=pmix_v4"
# shellcheck shell=bash

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC1091
[ ! -e "$home/slurm/site.sh" ] || source "$home/slurm/site.sh"
set -uo pipefail
HEADSWEEP=${HEADSWEEP:-$home/build/headsweep}
# In Slurm's commands the number of an array's last task stands for the whole array, so a task is named ARRAY_TASK.
this_job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
this_job=${this_job:-$SLURM_JOB_ID}

say() { echo "$(date +%FT%T) $this_job: $*"; }
fail() { say "$*"; exit 2; }

# Finished blocks, and one for the sweep's preparation.
progress_of() { find "$1/parts" "$1/sweep.yaml" -name '*.h5' -o -name sweep.yaml 2>/dev/null | wc -l; }

# Slurm signals the batch shell alone (--signal=B:...); the launcher hands a signal on to every rank.
launched='' signals=''
pass_on() {
  signals+=" $1"
  if [[ ${LAUNCHER:-srun} == srun* && $1 == TERM ]]; then  # srun would kill the ranks; Slurm lets them end
    scancel --signal=TERM "$this_job" 2>/dev/null
  elif [ -n "$launched" ]; then
    kill -s "$1" "$launched" 2>/dev/null
  fi
}
trap 'pass_on USR2' USR2
trap 'pass_on TERM' TERM

# Starts the ranks, waits for their end and returns their exit code. A signal ends bash's wait, not the ranks.
launch() {
  local line seen code
  case ${LAUNCHER:-srun} in
    srun) line=(srun --mpi=pmix --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}") ;;  # srun does not take it from sbatch
    mpirun) line=(mpirun -q --bind-to none --mca odls_base_sigkill_timeout 5 -n "$SLURM_NTASKS") ;;
    *) read -ra line <<<"$LAUNCHER" ;;
  esac
  say "${line[*]} $*"
  "${line[@]}" "$@" &
  launched=$!
  until seen=$signals; wait "$launched"; code=$?; [ "$signals" = "$seen" ]; do :; done
  return "$code"
}

# The same; what crashed is started again, up to three times without progress: nothing finished is lost, and the program
# sets a block aside that has crashed it three times.
launch_through_crashes() {
  local folder=$1 crashes=0 before code
  shift
  while :; do
    before=$(progress_of "$folder")
    launch "$@"
    code=$?
    [[ $code == [02345] || -n $signals ]] && return "$code"
    [ "$(progress_of "$folder")" = "$before" ] || crashes=0
    [ $((++crashes)) -le 3 ] || return "$code"
    say "the run crashed (exit code $code): started again"
  done
}

# Whether Slurm still wants this job: not after scancel, nor where it requeues by itself (preemption, a lost node).
still_wanted() { [ "$(squeue -h -j "$this_job" -o %T)" = RUNNING ]; }

# run_sweep JOB FOLDER [options of `headsweep run`]: starts the sweep or goes on with it; ends the batch script.
run_sweep() {
  [ -n "${2:-}" ] || fail "usage: sbatch SCRIPT JOB FOLDER [options of headsweep run]"
  [ -x "$HEADSWEEP" ] || fail "$HEADSWEEP: no such program; run 'make build' or set HEADSWEEP"
  local job=$1 folder=$2 before end code
  shift 2
  before=$(progress_of "$folder")
  end=$(squeue -h -j "$this_job" -o %e)
  # Half a minute is left to the launcher and to requeueing. NONE: a job without a time limit.
  [[ $end != [0-9]* ]] || set -- --deadline $(($(date -d "$end" +%s) - 30)) "$@"
  launch_through_crashes "$folder" "$HEADSWEEP" run "$job" -o "$folder" --resume "$@"
  code=$?
  [[ -n $signals && $code != [0234] ]] && code=5  # mpirun has a code of its own, and a crash ends what was to stop
  if [ "$code" = 5 ] && still_wanted; then
    [ "$(progress_of "$folder")" -gt "$before" ] ||
      { say "this run finished no block, the next would not either: not requeued. Give it more time"; exit 5; }
    say "stopped early: requeued"
    scontrol requeue "$this_job" || say "not requeued; go on by the same sbatch line"
  fi
  exit "$code"
}
