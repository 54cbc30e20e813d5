// Generated source of random problems, compiled in one call of the host compiler behind a shim and run: the same bits
// as the block kernels. Where nvcc is, it must accept the same text.
#include "odil/program_source.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "odil/device_pass.hpp"
#include "random_problem.hpp"

using namespace dd::odil;

namespace {

constexpr std::uint64_t cases = 40;

// What CUDA gives: a thread's place, and functions with overloads for both precisions.
constexpr const char* shim = R"(#include <math.h>
#define __global__
#define __device__
namespace { struct Place { unsigned x; }; thread_local Place blockIdx, threadIdx; constexpr Place blockDim{128}; }
)";

/// A folder of its own, gone at the end.
class Folder {
 public:
  Folder() {
    path_ = P_tmpdir "/dd_source_XXXXXX";
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const char* file : {"/kernels.cpp", "/kernels.so", "/kernels.cu", "/kernels.ptx"}) {
      std::remove((path_ + file).c_str());
    }
    rmdir(path_.c_str());
  }
  std::string file(const char* name) const { return path_ + "/" + name; }
  std::string write(const char* name, const std::string& text) const {
    std::FILE* file_handle = std::fopen(file(name).c_str(), "w");
    REQUIRE(file_handle != nullptr);
    std::fputs(text.c_str(), file_handle);
    std::fclose(file_handle);
    return file(name);
  }

 private:
  std::string path_;
};

bool runs(const std::string& command) { return std::system(command.c_str()) == 0; }

SourcePrecision precision_of(std::uint64_t seed) {
  return seed % 4 == 3 ? SourcePrecision::float32 : SourcePrecision::float64;
}

/// The kernels of a case with names of their own, and a function that runs those of block b at all points.
std::string kernels_of(const Case& given, std::uint64_t seed) {
  std::string text;
  const std::string prefix = "case" + std::to_string(seed) + "_";
  for (std::size_t b = 0; b < given.problem->description().blocks.size(); ++b) {
    std::string source = given.problem->source(b, precision_of(seed));
    for (std::size_t at = 0; (at = source.find("void block", at)) != std::string::npos; at += prefix.size() + 5) {
      source.insert(at + 5, prefix);
    }
    text += source;
  }
  return text;
}

/// extern "C" void run_case<seed>_<b>(operands, parameters, residual): every thread of every kernel of that block.
std::string runners_of(const std::string& kernels, const Case& given, std::uint64_t seed) {
  const std::string type = precision_of(seed) == SourcePrecision::float64 ? "double" : "float";
  std::string text;
  for (std::size_t b = 0; b < given.problem->description().blocks.size(); ++b) {
    const BlockDescription& block = given.problem->description().blocks[b];
    const std::string stem = "case" + std::to_string(seed) + "_block" + std::to_string(b);
    text += "extern \"C\" void run_" + stem + "(const " + type + "* const* operands, const double* parameters, " +
            type + "* residual) {\n  for (unsigned p = 0; p < " + std::to_string(block.residuals() / 128 * 128 + 256) +
            "; ++p) {\n    blockIdx.x = p / 128; threadIdx.x = p % 128;\n";
    for (std::size_t at = 0; (at = kernels.find("void " + stem, at)) != std::string::npos; ++at) {
      const std::string name = kernels.substr(at + 5, kernels.find('(', at) - at - 5);
      text += "    " + name + "(operands[0], operands[1], operands[2], parameters, residual);\n";
    }
    text += "  }\n}\n";
  }
  return text;
}

template <class T>
std::vector<T> by_block_kernels(const Case& given, const BlockDescription& block, std::span<const T* const> operands,
                                std::span<const double> parameters) {
  Graph graph = given.problem->description().graph;
  std::vector<RegionOutputs> regions;
  for (const Region& region : make_regions(graph, given.domain, block.shape, block.roots[0], block.name)) {
    regions.push_back({region.box, {{region.root, OutputKind::store}}, {{0, block.shape, {}}}});
  }
  std::vector<T> residual(block.shape.points());
  T* const targets[] = {residual.data()};
  dd::HostLauncher launcher(dd::HostExecutor::ordered);
  DevicePass(graph, given.domain, block.shape, std::move(regions))
      .run<T>(launcher, {operands, targets, parameters, {}});
  return residual;
}

template <class T>
void check_case(void* library, const Case& given, std::uint64_t seed) {
  const std::vector<T> unknowns(given.unknowns.begin(), given.unknowns.end());
  const std::vector<T> array(given.arrays[0].begin(), given.arrays[0].end());
  const std::size_t points = given.domain.operands[0].shape.points();
  const T* const operands[] = {unknowns.data(), unknowns.data() + points, array.data()};
  const std::vector<double> parameters(unknowns.end() - 2, unknowns.end());
  for (std::size_t b = 0; b < given.problem->description().blocks.size(); ++b) {
    CAPTURE(b);
    const BlockDescription& block = given.problem->description().blocks[b];
    const std::string name = "run_case" + std::to_string(seed) + "_block" + std::to_string(b);
    using Run = void (*)(const T* const*, const double*, T*);
    const auto run = reinterpret_cast<Run>(dlsym(library, name.c_str()));
    REQUIRE((run != nullptr));  // doctest cannot print a function
    std::vector<T> residual(block.residuals(), std::numeric_limits<T>::quiet_NaN());
    run(operands, parameters.data(), residual.data());
    if (block.scalar) {
      std::vector<T> all(given.problem->residuals());
      given.problem->evaluate<T>(unknowns, all, 1);
      CHECK(std::equal(residual.begin(), residual.end(),
                       all.begin() + static_cast<std::ptrdiff_t>(given.problem->block_offset(b))));
    } else {
      CHECK(residual == by_block_kernels<T>(given, block, operands, parameters));
    }
  }
}

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("generated source: compiled by the host it gives the bits of the block kernels, and nvcc accepts it") {
  std::string kernels = source_preamble(), runners;
  std::vector<Case> all;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    all.push_back(random_case(seed));
    const std::string own = kernels_of(all.back(), seed);
    kernels += own;
    runners += runners_of(own, all.back(), seed);
  }
  const Folder folder;
  const std::string source = folder.write("kernels.cpp", shim + kernels + runners);
  const std::string library_file = folder.file("kernels.so");
  REQUIRE(runs(std::string(DD_TEST_COMPILER) + " -std=c++20 -O0 -w -ffp-contract=off -shared -fPIC -o " + library_file +
               " " + source));
  void* const library = dlopen(library_file.c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE_MESSAGE(library != nullptr, dlerror());
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    CAPTURE(seed);
    if (precision_of(seed) == SourcePrecision::float64) {
      check_case<double>(library, all[seed], seed);
    } else {
      check_case<float>(library, all[seed], seed);
    }
  }
  dlclose(library);
#ifdef DD_TEST_NVCC
  const std::string device_source = folder.write("kernels.cu", kernels);
  CHECK(runs(std::string(DD_TEST_NVCC) + " -std=c++17 --fmad=false -ptx -arch=sm_75 -o " + folder.file("kernels.ptx") +
             " " + device_source));
#endif
}

TEST_SUITE_END();
