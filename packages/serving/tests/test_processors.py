"""Counting the processors that a process is granted."""

import os
from pathlib import Path

import pytest
from headworks_serving import ServingConfig
from headworks_serving._config import count_processors

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes have an affinity on Linux only")


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process run on eight processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)))


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder that takes the place of the root, and return it."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "ascii")
    return root


V1 = "12:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n"


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 8),
        (
            {
                "proc/self/cgroup": "0::/a.slice/b.service\n",
                "sys/fs/cgroup/a.slice/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/a.slice/b.service/cpu.max": "max 100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us": "100000\n",
            },
            8,
        ),
        *(
            (
                {
                    "proc/self/cgroup": V1,
                    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
                    **({} if period is None else {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": period}),
                },
                8,
            )
            for period in (None, "", "0\n")
        ),
    ],
)
def test_a_quota_counts_as_its_whole_processors(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """The smallest one of all groups above, in either version, at least one; without a period it does not count."""
    assert count_processors(write(tmp_path, files)) == expected


def test_the_affinity_decides_how_many_inferences_run_at_a_time() -> None:
    """A container, a cpuset or a scheduler of clusters leaves a process fewer processors than the machine has."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(before)])
    try:
        assert (count_processors(), ServingConfig().workers) == (1, 1)
    finally:
        os.sched_setaffinity(0, before)
