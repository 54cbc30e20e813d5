# Makes test/golden/vectors/quant/foreign_formats.json: what the formats' own code stores for small layers.
#   python test/support/foreign-formats.py AUTOGPTQ/auto_gptq/nn_modules/qlinear/qlinear_cuda.py > foreign_formats.json
# Needs numpy, torch and gguf (0.19.0). The first argument is a file of AutoGPTQ's repository; its class QuantLinear packs.
import importlib.util
import json
import sys
import tempfile
import types

import gguf
import numpy as np
import torch

ROWS, COLUMNS, GROUP = 32, 64, 32


def codes_of(levels, low=0):
    """Every code of `levels` - low occurs in each block of 32 where there are so few; the ends always do."""
    at = np.arange(ROWS * COLUMNS)
    codes = low + (at * 7 + (at >> 5)) % (levels - low)
    codes[::32], codes[1::32] = low, levels - 1
    return codes.reshape(ROWS, COLUMNS)


def gptq(pack_class, bits, version, shuffled):
    levels, groups = 2**bits, COLUMNS // GROUP
    codes = codes_of(levels)
    at = np.arange(ROWS * groups).reshape(ROWS, groups)
    scales = 2.0**-8 * (1 + at % 5)
    zeros = 1 + at % (levels - 1) if version == 1 else at % levels
    group = np.arange(COLUMNS) // GROUP
    if shuffled:
        group = (np.arange(COLUMNS) * 7 + 1) % groups
    linear = torch.nn.Linear(COLUMNS, ROWS, bias=False)
    weight = scales[:, group] * (codes - zeros[:, group])
    linear.weight.data = torch.tensor(weight, dtype=torch.float32)

    def packed(stored):
        layer = pack_class(bits, GROUP, COLUMNS, ROWS, False, weight_dtype=torch.float16)
        arguments = torch.tensor(scales, dtype=torch.float32), torch.tensor(stored, dtype=torch.float32)
        layer.pack(linear, *arguments, torch.tensor(group, dtype=torch.int32))
        return layer

    layer = packed(zeros.copy())
    # Format 2 is format 1 without its subtraction of one.
    qzeros = layer.qzeros if version == 1 else packed(zeros + 1.0).qzeros
    return {
        "bits": bits,
        "version": version,
        "scales": scales.ravel().tolist(),
        "zeros": zeros.ravel().tolist(),
        "group": group.tolist(),
        "qweight": layer.qweight.ravel().tolist(),
        "qzeros": qzeros.ravel().tolist(),
        "scales_float16": layer.scales.to(torch.float16).view(torch.int16).numpy().view(np.uint16).ravel().tolist(),
        "g_idx": layer.g_idx.tolist(),
    }


def ggml(name, levels, offset, with_minimum):
    kind = gguf.GGMLQuantizationType[name]
    # The published rules for the scale of a block give these scales back where its ends occur; -128 never does.
    codes = codes_of(levels, low=1 if name == "Q8_0" else 0)
    block = np.arange(ROWS * COLUMNS // 32).reshape(ROWS, COLUMNS // 32)
    scales = 2.0 ** -(5 + block % 4)
    zeros = 3 + block % 5 if with_minimum else np.full(block.shape, offset)
    values = (scales.repeat(32, 1) * (codes - zeros.repeat(32, 1))).astype(np.float32)
    data = gguf.quants.quantize(values, kind)
    assert np.array_equal(gguf.quants.dequantize(data, kind), values), name
    return {
        "type": name,
        "levels": levels,
        "scales": scales.ravel().tolist(),
        "zeros": zeros.ravel().tolist(),
        "bytes": data.tobytes().hex(),
    }


def file_of(blocks):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/layers.gguf"
        writer = gguf.GGUFWriter(path, "test")
        writer.add_uint32("test.block_count", 3)
        writer.add_bool("test.flag", True)
        writer.add_float32("test.rope", 0.5)
        for entry in blocks:
            kind = gguf.GGMLQuantizationType[entry["type"]]
            data = np.frombuffer(bytes.fromhex(entry["bytes"]), np.uint8).reshape(ROWS, -1)
            writer.add_tensor("layer." + entry["type"], data, raw_dtype=kind)
        writer.add_tensor("bias", np.array([1, -2, 3], np.float32))
        writer.add_tensor("half", np.array([[1, 2], [3, 4]], np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        with open(path, "rb") as file:
            return file.read().hex()


def main():
    sys.modules["transformers"] = types.ModuleType("transformers")
    sys.modules["transformers"].pytorch_utils = types.SimpleNamespace(Conv1D=type("Conv1D", (), {}))
    spec = importlib.util.spec_from_file_location("qlinear_cuda", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds = [("Q4_0", 16, 8, False), ("Q4_1", 16, 0, True), ("Q5_0", 32, 16, False), ("Q5_1", 32, 0, True)]
    blocks = [ggml(*kind) for kind in [*kinds, ("Q8_0", 256, 128, False)]]
    json.dump(
        {
            "rows": ROWS,
            "columns": COLUMNS,
            "gptq": [
                gptq(module.QuantLinear, bits, version, shuffled)
                for bits in (2, 3, 4, 8)
                for version, shuffled in ((1, False), (1, True), (2, False))
            ],
            "ggml": blocks,
            "gguf": file_of(blocks),
        },
        sys.stdout,
        separators=(",", ":"),
    )


main()
