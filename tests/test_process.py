import os
import subprocess
import sys

SCRIPT = """
import torch
from distillgame.process import multiply_exactly
before = torch.get_float32_matmul_precision()
multiply_exactly()
print(before, torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32)
"""


def test_the_environment_does_not_lower_the_precision_of_products() -> None:
    environment = os.environ | {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    found = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["high", "highest", "False"]
