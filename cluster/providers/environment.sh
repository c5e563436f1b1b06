# What Ray's processes get on every node, at every provider: sourced before `ray start`.
cd ~/tautune
export PATH="$HOME/.tautune-venv/bin:$PATH"
export RAY_AUTH_MODE=token
export GRPC_ENABLE_FORK_SUPPORT=0  # Ray client's server forks while gRPC works, and died of it now and then
# A machine that says nothing for half a minute is lost, and its trials go on elsewhere; Ray would wait for a minute.
export RAY_health_check_timeout_ms=5000 RAY_health_check_failure_threshold=4
unset OMP_NUM_THREADS  # `ray up` sets it to 1; without it Ray gives each trial as many threads as it has CPUs
ulimit -n 65536 2>/dev/null || true  # a machine may allow less
