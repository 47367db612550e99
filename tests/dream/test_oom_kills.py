from streamer.dream.worker.oom_kills import LOOK_S, OomKillCounter
from tests.fakes import HandClock


class Machine:
    """A fake file system with a counter."""

    def __init__(self, root, cgroup, counter):
        self.root, self.counter = root, root / counter
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(cgroup)
        self.counter.parent.mkdir(parents=True, exist_ok=True)
        self.count(0)
        self.clock = HandClock(0.0)

    def count(self, killed):
        self.counter.write_text(f"low 3\noom 7\noom_kill {killed}\noom_group_kill 9\n")

    def memory(self):
        return OomKillCounter(self.root, self.clock)


def test_every_place_where_it_is_counted_is_found(tmp_path):
    for number, (cgroup, counter) in enumerate(
        [
            ("0::/user.slice/app\n", "sys/fs/cgroup/user.slice/app/memory.events"),
            ("0::/elsewhere\n", "sys/fs/cgroup/memory.events"),
            ("4:memory:/app\n0::/\n", "sys/fs/cgroup/memory/app/memory.oom_control"),
            ("9:cpu,memory:/app\n", "sys/fs/cgroup/memory/memory.oom_control"),
            ("0::/\n", "proc/vmstat"),
        ]
    ):
        machine = Machine(tmp_path / str(number), cgroup, counter)
        memory = machine.memory()
        assert memory.rose() is False, counter
        machine.count(1)
        assert memory.rose() is True, counter
        assert memory.rose() is False, counter


def test_what_was_counted_while_the_process_lived_was_not_its_end(tmp_path):
    machine = Machine(tmp_path, "0::/\n", "sys/fs/cgroup/memory.events")
    memory = machine.memory()
    machine.count(1)
    machine.clock.advance(LOOK_S)
    memory.update_baseline()
    assert memory.rose() is False
    machine.count(2)
    machine.clock.advance(LOOK_S / 2)
    memory.update_baseline()
    assert memory.rose() is True, "it is not looked at all the time"


def test_where_nothing_is_counted_nobody_can_tell(tmp_path):
    assert OomKillCounter(tmp_path).rose() is None
    machine = Machine(tmp_path / "there", "0::/\n", "proc/vmstat")
    memory = machine.memory()
    machine.counter.unlink()
    assert memory.rose() is None
