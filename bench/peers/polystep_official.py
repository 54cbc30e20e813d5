"""The published polystep package, answering jobs on stdin with seconds per candidate, one JSON object a line.

PYTHONPATH must name the `src` folder of a checkout of anindex/polystep (release 0.7.0, MIT); needs torch. A job is
{"job": "maxsat", "variables": n, "clauses": [literals of three, 1-based]} or
{"job": "lif", "inputs": [...], "labels": [...], "layers": [64, 32, 10], "ticks": 15, "rows": 128}; the answer is
{"seconds": of one step, "candidates": scored in it}.
"""

import json
import sys
import time

import torch
from polystep import PolyStepOptimizer

torch.set_num_threads(1)


class Assignments(torch.nn.Module):
    def __init__(self, variables):
        super().__init__()
        self.assignments = torch.nn.Parameter(0.1 * torch.randn(variables))


class Spiking(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.fc1 = torch.nn.Linear(layers[0], layers[1])
        self.fc2 = torch.nn.Linear(layers[1], layers[2])


def timed_step(model, loss, particle_dim):
    optimizer = PolyStepOptimizer(model, compile=False, seed=1, epsilon=1.0, step_radius=0.5, probe_radius=1.0,
                                  num_probe=1, particle_dim=particle_dim, chunk_size=256)
    count = 0

    def counted(stacked):
        nonlocal count
        losses = loss(stacked)
        count += losses.shape[0]
        return losses

    start = time.perf_counter()
    optimizer.step(counted)
    return {"seconds": time.perf_counter() - start, "candidates": count}


def maxsat(job):
    literals = torch.tensor(job["clauses"]).reshape(-1, 3)
    places, signs = literals.abs() - 1, (literals > 0).float()

    def loss(stacked):
        hard = torch.round(torch.sigmoid(stacked["assignments"]))[:, places]
        return 1 - (hard * signs + (1 - signs) * (1 - hard) > 0.5).any(dim=-1).float().mean(dim=-1)

    return timed_step(Assignments(job["variables"]), loss, 2)


def lif(job):
    rows, layers = job["rows"], job["layers"]
    inputs = torch.tensor(job["inputs"]).reshape(rows, layers[0])
    labels = torch.tensor(job["labels"])

    def loss(stacked):
        candidates = stacked["fc1.weight"].shape[0]
        current = torch.einsum("bi,nhi->nbh", inputs, stacked["fc1.weight"]) + stacked["fc1.bias"][:, None, :]
        hidden, out, counts = torch.zeros_like(current), 0.0, 0.0
        for _ in range(job["ticks"]):
            hidden = 0.95 * hidden + current
            spikes = (hidden >= 1).float()
            hidden = hidden * (1 - spikes)
            out = 0.95 * out + torch.einsum("nbh,noh->nbo", spikes, stacked["fc2.weight"]) + stacked["fc2.bias"][:, None, :]
            fired = (out >= 1).float()
            out = out * (1 - fired)
            counts = counts + fired
        logits = counts.reshape(candidates * rows, -1)
        losses = torch.nn.functional.cross_entropy(logits, labels.repeat(candidates), reduction="none")
        return losses.reshape(candidates, rows).mean(dim=1)

    return timed_step(Spiking(layers), loss, 8)


print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    with torch.no_grad():
        answer = {"maxsat": maxsat, "lif": lif}[request["job"]](request)
    print(json.dumps(answer), flush=True)
