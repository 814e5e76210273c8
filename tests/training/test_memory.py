import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from logicmix_studio.training.memory import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
bytearray(b'x') * 160_000_000  # 160 MB, taken and freed
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    bytearray(b'x') * 160_000_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    run = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc is told to keep memory")
def test_memory_is_used_again_without_fresh_pages():
    kept = faults("keep")
    assert kept < 100
    assert faults("as it is") > kept + 100
