// The one list of block kernel files: nvcc compiles it (cuda/kernels.cu) and the catalog lists it (catalog.cpp).
// A kernel file that is missing here does not exist for a GPU; a test finds that out.
#pragma once

#include "core/reductions.kernel.hpp"
#include "dmmv/dictionary_penalty.kernel.hpp"
#include "dmmv/one_flip.kernel.hpp"
#include "linalg/axis_transfer.kernel.hpp"
#include "linalg/factors.kernel.hpp"
#include "linalg/products.kernel.hpp"
#include "odil/adam.kernel.hpp"
#include "odil/program.kernel.hpp"
#include "odil/row_solver.kernel.hpp"
#include "polystep/objectives/maxsat.kernel.hpp"
#include "polystep/objectives/network.kernel.hpp"
#include "quantize/assignment.kernel.hpp"
#include "quantize/descent.kernel.hpp"
#include "quantize/gptq.kernel.hpp"
#include "quantize/packed.kernel.hpp"
#include "quantize/range_candidates.kernel.hpp"
#include "quantize/rounding_table.kernel.hpp"
