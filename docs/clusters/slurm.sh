#!/bin/bash
# A Ray cluster inside one Slurm job, and a game on it: sbatch docs/clusters/slurm.sh gsm8k --out /shared/runs/gsm8k
# Every node starts one Ray node with all that Slurm gives it; the first is the head and plays the game. A job that is
# started again with the same folder goes on where it stopped.
#SBATCH --job-name=distillgame
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

# The environment with distillgame[ray], the same on all nodes; a shared file system or a copy on each.
source "${DISTILLGAME_VENV:?the folder of the virtual environment}/bin/activate"

nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=${nodes[0]}
address="$head:${RAY_PORT:-6379}"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=${RAY_AUTH_TOKEN:-$(python -c 'import secrets; print(secrets.token_hex(16))')}
export RAY_USAGE_STATS_ENABLED=0
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}  # srun does not take it from the job.
resources=(--num-cpus "${SLURM_CPUS_PER_TASK:-1}" --num-gpus "${SLURM_GPUS_ON_NODE:-0}")

srun --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start --head --port="${RAY_PORT:-6379}" "${resources[@]}" --include-dashboard=false --block &
for attempt in {1..60}; do
  ray health-check --address "$address" 2>/dev/null && break
  kill -0 $! && [ "$attempt" -lt 60 ]  # Without a head there is nothing to wait for.
  sleep 2
done
for node in "${nodes[@]:1}"; do
  srun --nodes=1 --ntasks=1 --nodelist="$node" ray start --address="$address" "${resources[@]}" --block &
done

distillgame play "$@" -s compute.engine=ray -s "compute.address=$address"
