"""Quantisation with torch, the peer of the `quantize` benchmarks.

Reads one JSON object a line ({"job": ..., "rows": ..., "columns": ..., "tokens": ...}) and answers with the seconds it
took. The routines are plain transcriptions of the published algorithms in torch operations; with --gptq and --baq (paths
of checkouts of the official codes) those run instead, with CUDA's synchronisation and the transformers package stubbed.
"""

import argparse
import contextlib
import importlib
import io
import json
import sys
import time
import types

import torch


def factor(hessian):
    """The three steps of the published codes: factor, inverse, upper factor of the inverse."""
    columns = hessian.shape[0]
    damped = hessian + 0.01 * hessian.diagonal().mean() * torch.eye(columns)
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)


def ranges(weights):
    low = weights.amin(1).clamp(max=0)
    high = weights.amax(1).clamp(min=0)
    return low, high


def loop(weights, upper, scale, zero, largest, block=128):
    """GPTQ; scale, zero: rows x 1 or rows x columns; largest: 1 or columns. Returns Q and the columns' losses."""
    rest = weights.clone()
    quantized = torch.empty_like(rest)
    columns = rest.shape[1]
    losses = torch.empty(columns)
    for begin in range(0, columns, block):
        end = min(begin + block, columns)
        errors = torch.empty(rest.shape[0], end - begin)
        for j in range(begin, end):
            s = scale[:, min(j, scale.shape[1] - 1)]
            z = zero[:, min(j, zero.shape[1] - 1)]
            code = (torch.round(rest[:, j] / s) + z).clamp(0, float(largest[min(j, len(largest) - 1)]))
            quantized[:, j] = s * (code - z)
            error = (rest[:, j] - quantized[:, j]) / upper[j, j]
            rest[:, j:end] -= torch.outer(error, upper[j, j:end])
            errors[:, j - begin] = error
            losses[j] = 0.5 * error.square().sum()
        rest[:, end:] -= errors @ upper[begin:end, end:]
    return quantized, losses


def baq(weights, hessian, bits):
    """Two passes at block size 1, as the published code runs; each with its own factor."""
    low, high = ranges(weights)
    levels = torch.full((weights.shape[1],), 2.0**bits)
    for _ in range(2):
        scale = (high - low)[:, None] / (levels - 1 + 1e-8)
        zero = torch.round(-low[:, None] / scale)
        quantized, losses = loop(weights, factor(hessian), scale, zero, levels - 1, block=1)
        geometric = torch.exp(torch.log(losses + 1e-8).mean())
        levels = torch.round(((losses / geometric) * 2 ** (1.95 * bits)) ** (1 / 1.95)).clamp(min=1)
    return quantized


def stubbed(path, name):
    """A module of an official checkout that wants CUDA and transformers."""
    transformers = types.ModuleType("transformers")
    transformers.Conv1D = type("Conv1D", (), {})
    sys.modules["transformers"] = transformers
    torch.cuda.synchronize = lambda *_: None
    sys.path.insert(0, path)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def official_layer(module, quantizer_module, weights, hessian, bits):
    layer = torch.nn.Linear(weights.shape[1], weights.shape[0], bias=False)
    layer.weight.data = weights.clone()
    task = module.GPTQ(layer)
    task.H = hessian.clone()
    task.quantizer = quantizer_module.Quantizer()
    task.quantizer.configure(bits, perchannel=True, sym=False, mse=False)
    return task


def official_gptq(path):
    module = stubbed(path, "gptq")
    quantizer = stubbed(path, "quant")

    def run(weights, hessian):
        task = official_layer(module, quantizer, weights, hessian, 4)
        # What is measured is the loop: the factorisation is done before, and replaced by what hands it over.
        done = factor(hessian)
        linalg, inverse = torch.linalg.cholesky, torch.cholesky_inverse
        torch.linalg.cholesky = lambda given, upper=False: done if upper else given
        torch.cholesky_inverse = lambda given: given
        try:
            begin = time.perf_counter()
            task.fasterquant()
            return time.perf_counter() - begin
        finally:
            torch.linalg.cholesky, torch.cholesky_inverse = linalg, inverse

    return run


def official_baq(path):
    module = stubbed(path, "gptq_baq")
    quantizer = stubbed(path, "quant_baq")

    def run(weights, hessian, bits):
        state = lambda value: {"value": value}
        record = torch.zeros(1, 6)
        gains, losses = state([]), state([])
        common = dict(name="layer", layer_idx=0, col_idx=0, R_ref=bits, R_record_container=state(record))
        begin = time.perf_counter()
        task = official_layer(module, quantizer, weights, hessian, bits)
        task.fasterquant_calib(
            R_aver_container=state(0.0), ele_sum_container=state(0.0),
            Gain_vec_container=gains, loss_vec_container=losses, **common)
        task = official_layer(module, quantizer, weights, hessian, bits)
        task.fasterquant(
            R_aver_container=state(0.0), ele_sum_container=state(0.0), Gain_vec_container=gains,
            Ratio_geo_ari=torch.full((1, 6), float(gains["value"][0])), loss_vec_tensor=losses["value"], **common)
        return time.perf_counter() - begin

    return run


def timed(call, *arguments):
    begin = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gptq")
    parser.add_argument("--baq")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    run_gptq = official_gptq(options.gptq) if options.gptq else None
    run_baq = official_baq(options.baq) if options.baq else None
    data = {}

    def inputs(rows, columns):
        if data.get("shape") != (rows, columns):
            torch.manual_seed(1)
            tokens = torch.randn(max(columns // 2, 256), columns) * torch.exp(0.8 * torch.randn(columns))
            hessian = 2 * tokens.t() @ tokens / 4
            data.update(shape=(rows, columns), weights=0.02 * torch.randn(rows, columns), hessian=hessian)
        return data["weights"], data["hessian"]

    def official(call, *arguments):
        with contextlib.redirect_stdout(io.StringIO()):
            return call(*arguments)

    def answer(job, rows, columns, tokens):
        if job == "hessian":
            x, hessian = torch.randn(tokens, columns), torch.zeros(columns, columns)
            return timed(lambda: hessian.add_(x.t() @ x))
        weights, hessian = inputs(rows, columns)
        if job == "factor":
            return timed(factor, hessian)
        if job == "baq":
            return official(run_baq, weights, hessian, 2) if run_baq else timed(baq, weights, hessian, 2)
        if run_gptq:
            return official(run_gptq, weights, hessian)
        upper = factor(hessian)
        low, high = ranges(weights)
        scale = ((high - low) / 15)[:, None]
        return timed(loop, weights, upper, scale, torch.round(-low[:, None] / scale), torch.tensor([15.0]))

    print(json.dumps({"torch": torch.__version__, "gptq": bool(run_gptq), "baq": bool(run_baq)}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": answer(**json.loads(line))}), flush=True)


main()
