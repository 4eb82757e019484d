#!/usr/bin/env bash
# A Slurm of our own on this machine, for tests: one node, two CPUs, ports and folders
# of its own. Needs root, slurm-wlm and munge.
#   scripts/slurm.sh start DIR          configures and starts everything in DIR
#   scripts/slurm.sh run NAME DIR       starts munged, slurmctld or slurmd again
#   scripts/slurm.sh stop DIR           ends what start began, by its process IDs
# SLURM_CONF=DIR/slurm.conf lets sbatch and its kin find it.
set -euo pipefail
what=$1
dir=$(realpath -m "${!#}")

run() {
  case $1 in
  munged) munged --force --socket="$dir/munge.sock" --key-file="$dir/munge.key" --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" --seed-file="$dir/munge.seed" ;;
  slurmctld) SLURM_CONF=$dir/slurm.conf slurmctld -f "$dir/slurm.conf" ;;
  slurmd) SLURM_CONF=$dir/slurm.conf slurmd -f "$dir/slurm.conf" ;;
  *) echo "slurm.sh: unknown daemon $1" >&2; exit 1 ;;
  esac
}

start() {
  mkdir -p "$dir"/{state,spool}
  chmod 755 "$dir"
  (umask 077; head -c 1024 /dev/urandom >"$dir/munge.key")
  touch "$dir"/gpu{0,1} # what stands for devices
  echo "Name=gpu File=$dir/gpu[0-1]" >"$dir/gres.conf"
  run munged
  # Another program may take a port between the choice and the start: then two others.
  for _ in $(seq 5); do
    configure
    if run slurmctld && run slurmd && idle; then return 0; fi
    taken || break
    end slurmd slurmctld
    rm -f "$dir"/slurm{d,ctld}.log
  done
  echo "slurm.sh: the node does not become idle:" >&2
  sinfo >&2 || true
  for f in "$dir"/*.log; do echo "$f:"; tail -n 5 "$f"; done >&2
  exit 1
}

# idle waits for the node, taken finds a daemon that could not have its port.
idle() {
  export SLURM_CONF=$dir/slurm.conf
  for _ in $(seq 600); do
    [ "$(sinfo -h -p low -o %T 2>/dev/null || true)" != idle ] || return 0
    if taken; then return 1; fi
    sleep 0.2
  done
  return 1
}
taken() { grep -qsi "address already in use" "$dir"/slurm{d,ctld}.log; }

# configure writes slurm.conf with two ports that are free now.
configure() {
  read -r ctld d < <(python3 -c '
import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
  host=$(hostname -s)
  cat >"$dir/slurm.conf" <<END
ClusterName=metamers
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld
SlurmdPort=$d
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.sock
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=200000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
MaxArraySize=6
SlurmdTimeout=10
KillWait=15
MinJobAge=3600
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 Gres=gpu:2 State=UNKNOWN
PartitionName=low Nodes=$host Default=YES MaxTime=UNLIMITED PriorityTier=1
PartitionName=high Nodes=$host MaxTime=UNLIMITED PriorityTier=10
END
}

# end ends daemons by their process IDs.
end() {
  for name in "$@"; do
    pid=$(cat "$dir/$name.pid" 2>/dev/null || true)
    [ -n "$pid" ] && kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do # it writes its state at the end
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
}

stop() {
  SLURM_CONF=$dir/slurm.conf timeout 5 scancel --user=root 2>/dev/null || true
  end slurmd slurmctld munged
}

case $what in
start) start ;;
run) run "$2" ;;
stop) stop ;;
*) echo "slurm.sh: start, run or stop, not $what" >&2; exit 1 ;;
esac
