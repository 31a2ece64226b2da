"""The room is light: whoever draws a box does not wait for PyTorch."""

import subprocess
import sys


def test_drawing_imports_no_torch() -> None:
    code = "import sys, aiatrack.visualization; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
