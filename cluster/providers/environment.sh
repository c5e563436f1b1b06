# The environment of Ray's processes on every node, at every provider. It is sourced before `ray start`.
cd ~/tautune
export PATH="$HOME/.tautune-venv/bin:$PATH"
export RAY_AUTH_MODE=token
export GRPC_ENABLE_FORK_SUPPORT=0  # Ray client's server forks while gRPC is busy, which sometimes crashed it
# A machine silent for half a minute counts as lost, and its trials continue elsewhere; Ray would wait for a minute.
export RAY_health_check_timeout_ms=5000 RAY_health_check_failure_threshold=4
unset OMP_NUM_THREADS  # `ray up` sets it to 1; when it is unset, Ray gives each trial as many threads as CPUs
ulimit -n 65536 2>/dev/null || true  # a machine may allow less
