"""The published polystep package, answering jobs on stdin with seconds per candidate, one JSON object a line.

PYTHONPATH must name the `src` folder of a checkout of anindex/polystep (release 0.7.0, MIT); needs torch. A job is
{"job": "maxsat", "variables": n, "clauses": [literals of three, 1-based]} or
{"job": "lif", "inputs": [...], "labels": [...], "layers": [64, 32, 10], "ticks": 15, "rows": 128}; the answer is
{"seconds": of one step, "candidates": scored in it}. A job
{"job": "board", "kind": "tree" | "signs" | "f1", "inputs": [pairs], "labels": [...], "hidden": h, "spread": of the first
parameters, "epsilon": e, "stepRadius": r, "evaluations": n, "seed": s} is one of the package's small examples on these
samples; the answer is {"best": least loss of any candidate}. {"job": "draw", "kind": as above, "seed": s} draws such
samples with the example's own program: {"inputs", "labels"}.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

import polystep
import torch
from polystep import PolyStepES, PolyStepOptimizer

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


def tree_outputs(flat, inputs, depth):
    """Leaf logits of oblique trees, one a row of flat, for every sample: candidates x samples."""
    nodes, count = 2**depth - 1, flat.shape[0]
    weights, biases = flat[:, : 2 * nodes].reshape(count, nodes, 2), flat[:, 2 * nodes : 3 * nodes]
    logits = torch.einsum("bnd,md->bnm", weights, inputs) + biases[:, :, None]
    node = torch.zeros(count, inputs.shape[0], dtype=torch.long)
    for _ in range(depth):
        node = 2 * node + 1 + (torch.gather(logits, 1, node.unsqueeze(1)).squeeze(1) > 0).long()
    return torch.gather(flat[:, 3 * nodes :], 1, node - nodes)


def sign_outputs(flat, inputs, hidden):
    """Outputs of networks of signs, one a row of flat: candidates x samples."""
    count = flat.shape[0]
    weights, biases = flat[:, : 2 * hidden].reshape(count, hidden, 2), flat[:, 2 * hidden : 3 * hidden]
    signs = torch.sign(torch.einsum("bhi,ni->bnh", weights, inputs) + biases[:, None, :])
    return torch.einsum("bh,bnh->bn", flat[:, 3 * hidden : 4 * hidden], signs) + flat[:, 4 * hidden :]


def board(job):
    inputs, labels = torch.tensor(job["inputs"]).reshape(-1, 2), torch.tensor(job["labels"]).float()
    hidden, kind, seed = job["hidden"], job["kind"], job["seed"]
    dimension = 3 * (2**hidden - 1) + 2**hidden if kind == "tree" else 4 * hidden + 1

    def loss(flat):
        found = ((tree_outputs if kind == "tree" else sign_outputs)(flat, inputs, hidden) > 0).float()
        if kind != "f1":
            return (found != labels).float().mean(dim=1)
        true, false, missed = (found * labels).sum(1), (found * (1 - labels)).sum(1), ((1 - found) * labels).sum(1)
        return 1 - 2 * true / (2 * true + false + missed + 1e-9)

    start = job["spread"] * torch.randn(dimension, generator=torch.Generator().manual_seed(seed + 100))
    optimizer = PolyStepES(dimension, num_particles=1, epsilon=job["epsilon"], step_radius=job["stepRadius"], x0=start,
                           seed=seed)
    used = 0
    while used < job["evaluations"]:
        population = optimizer.ask()
        optimizer.tell(loss(population))
        used += population.shape[0]
    return {"best": optimizer.best_fitness}


def draw(job):
    name, function = {
        "tree": ("09_hard_decision_tree", "make_checkerboard"),
        "signs": ("07_binary_net_no_ste", "make_checkerboard"),
        "f1": ("08_direct_loss_minimization", "make_checkerboard_imbalanced"),
    }[job["kind"]]
    path = Path(polystep.__file__).parents[2] / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    example = importlib.util.module_from_spec(spec)
    sys.modules[name] = example
    spec.loader.exec_module(example)
    inputs, labels = getattr(example, function)(seed=job["seed"])
    return {"inputs": inputs.flatten().tolist(), "labels": labels.int().tolist()}


print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    with torch.no_grad():
        answer = {"maxsat": maxsat, "lif": lif, "board": board, "draw": draw}[request["job"]](request)
    print(json.dumps(answer), flush=True)
