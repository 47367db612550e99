#!/usr/bin/env bash
# Ray 2.60.0: a worker process that has run a task is used for the next task, but for no actor; the actor gets another process.
#
# A good guess would be: the idle workers of a driver take what comes next, tasks and actors, for a worker that nothing has used yet takes
# either. Seen instead: its first work decides. A program that asks a node something in a task, such as its versions, and then
# starts an actor there waits for two processes to start and import Ray, about a second of CPU each, where an actor that answers the
# question itself needs one.
#
# Installs Ray into a temporary folder and fails if it behaves otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet ray==2.60.0
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import os

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray


@ray.remote(num_cpus=0)
def task():
    return os.getpid()


@ray.remote(num_cpus=0)
class Actor:
    def pid(self):
        return os.getpid()


ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
first, second = ray.get(task.remote()), ray.get(task.remote())
actor = Actor.remote()
its = ray.get(actor.pid.remote())
print(f"Ray {ray.__version__}")
print(f"two tasks, one after the other, run in the same process: {first == second}")
print(f"an actor that starts while it is idle runs in it:        {its == first}")
assert first == second, "an idle worker is not used for another task"
assert its != first, "an idle worker of a task is used for an actor now"
PYTHON
