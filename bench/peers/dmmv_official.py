"""The published code for discrete min-max violation, answering jobs on stdin, one JSON object a line.

PYTHONPATH must name the folder src/GPU of a checkout of cheikh025/AMVM and the package alns (7.0.0, MIT); needs torch, pandas
and matplotlib. A job is {"matrix": rows x columns, row after row, "columns": n, "target": one number a row, "point": the
continuous vector that is rounded to begin with, "bits": b} and either "iterations" (its settings for filters: levels k / 2^(b-1),
flips and swaps) or "seconds" (its settings for weights: 2^b levels from the least to the largest entry of the point, swaps). With
both, what comes first ends the run: a limit is looked at between iterations only. The answer is {"objective", "seconds"}.
"""

import contextlib
import json
import sys
import time

import torch
from alns.stop import MaxIterations, MaxRuntime
from ALNS.ALNS import ALNS

torch.set_num_threads(1)


class First:
    """Several stopping rules, of which the first counts."""

    def __init__(self, *rules):
        self.rules = rules

    def __call__(self, random, best, current):
        return any([rule(random, best, current) for rule in self.rules])


def run(job):
    matrix = torch.tensor(job["matrix"], dtype=torch.float64).reshape(-1, job["columns"])
    target = torch.tensor(job["target"], dtype=torch.float64)
    point = torch.tensor(job["point"], dtype=torch.float64)
    count, fir = 2 ** job["bits"], "iterations" in job
    if fir:
        lowest, step = -1.0, 2.0 / count
    else:
        lowest, step = point.min(), (point.max() - point.min()) / (count - 1)
    start = torch.clamp(torch.ceil((point - lowest) / step - 0.5), 0, count - 1).long()
    begin = time.perf_counter()
    solver = ALNS(start, point, matrix, job["bits"], use_fir=fir)
    rules = [MaxIterations(job["iterations"])] if fir else []
    if "seconds" in job:
        rules.append(MaxRuntime(job["seconds"]))
    solver.set_stopping_criteria(First(*rules))
    solver.set_LS_operator("W" if fir else "S")
    solver.set_B_k(target)
    solution = solver.solve()
    seconds = time.perf_counter() - begin
    # Recomputed: its own figure is updated step by step.
    found = solution.quantized_weights.to(torch.float64)
    return {"objective": float((matrix @ found - target).abs().max()), "seconds": seconds}


print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    with contextlib.redirect_stdout(sys.stderr):
        answer = run(json.loads(line))
    print(json.dumps(answer), flush=True)
