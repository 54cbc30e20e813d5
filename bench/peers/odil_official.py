"""The published code of ODIL (a checkout is needed), the peer of the `odil` benchmarks.

Reads one JSON object a line and answers with the seconds it took and what was reached:
  {"job": "poisson", "cells": N}  a Newton step of the N x N problem from zero: linearisation, normal equations, solution
  {"job": "heat", "cells": N}     the same of the N x N heat equation (frozen conductivity, as published) from zero
  {"job": "heat_inverse", "cells": N}  a Newton step with a network for the conductivity and 200 measured points
  {"job": "heat_gradient", "cells": N}  loss and gradient of the N x N heat equation, once
Each job is run once before it is timed, because the graph is compiled then.
"""

import argparse
import json
import os
import sys
import tempfile
import time


def arguments_of(module, words):
    """The options of an example, as its command line would read them."""
    before, sys.argv = sys.argv, ["example", *words]
    try:
        return module.parse_args()
    finally:
        sys.argv = before


class Jobs:
    def __init__(self, checkout):
        examples = os.path.join(checkout, "examples")
        for folder in [os.path.join(checkout, "src"), *(os.path.join(examples, name) for name in ("poisson", "heat"))]:
            sys.path.insert(0, folder)
        import heat
        import numpy
        import odil
        import poisson

        self.numpy, self.odil = numpy, odil
        self.examples = {"poisson": poisson, "heat": heat}

    def problem(self, example, words):
        module = self.examples[example]
        args = arguments_of(module, ["--multigrid", "0", "--double", "1", "--optimizer", "newton", *words])
        args.epoch_start, args.epochs = 0, 1
        return args, module.make_problem(args)

    def newton(self, args, problem, state):
        from odil.linsolver import solve

        def step():
            begin = time.perf_counter()
            vector, matrix = problem.linearize(state)
            delta = solve(matrix, -vector, args, {}, args.linsolver)
            seconds = time.perf_counter() - begin
            rest = vector + matrix.dot(delta)
            share = self.numpy.abs(rest).max() / self.numpy.abs(vector).max()
            return {"seconds": seconds, "residual": float(share)}

        step()
        return step()

    def run(self, job):
        cells = str(job["cells"])
        if job["job"] == "poisson":
            args, (problem, state) = self.problem("poisson", ["--N", cells, "--ref", "osc", "--rhs", "exact"])
            return self.newton(args, problem, state)
        words = ["--Nt", cells, "--Nx", cells]
        if job["job"] == "heat_inverse":
            words += ["--infer_k", "1", "--imposed", "stripe", "--kwreg", "1"]
        args, (problem, state) = self.problem("heat", words)
        if job["job"] != "heat_gradient":
            return self.newton(args, problem, state)
        problem.eval_loss_grad(state)
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            loss = float(problem.eval_loss_grad(state)[0])
            times.append(time.perf_counter() - begin)
        return {"seconds": sorted(times)[2], "loss": loss}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkout", required=True)
    checkout = os.path.abspath(parser.parse_args().checkout)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever the code prints
    with tempfile.TemporaryDirectory() as folder, os.fdopen(answers, "w") as out:
        os.chdir(folder)
        jobs = Jobs(checkout)
        print(json.dumps({"ready": getattr(jobs.odil, "__version__", "a checkout")}), file=out, flush=True)
        for line in sys.stdin:
            print(json.dumps(jobs.run(json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
