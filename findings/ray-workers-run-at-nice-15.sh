#!/usr/bin/env bash
# Ray starts every worker at nice 15, so beside any other busy process it gets a few percent of a core.
#
# Guess before running: a worker has the priority of the program that started Ray.
# What it does: `ray.init()` in a program at nice 0 gives workers at nice 15; RAY_worker_niceness=0, set before, gives 0.
# On a machine of one's own nobody notices. On a laboratory's, where a slide is scanned or a model is trained at the same
# time, the same work in processes of one's own runs several times as fast as under Ray.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check ray==2.60.0
cat > "$box/nice.py" <<'E'
import logging, os, ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
print(ray.__version__, os.nice(0), ray.get(ray.remote(lambda: os.nice(0)).remote()))
E
export RAY_USAGE_STATS_ENABLED=0
read -r version own worker < <(nice -n 0 "$box/venv/bin/python" "$box/nice.py" 2>/dev/null)
read -r _ _ asked < <(RAY_worker_niceness=0 "$box/venv/bin/python" "$box/nice.py" 2>/dev/null)
echo "ray $version: niceness of the program $own, of its worker $worker; with RAY_worker_niceness=0 $asked"
[ "$own" = 0 ] && [ "$worker" = 15 ] && [ "$asked" = 0 ] || { echo changed; exit 1; }
