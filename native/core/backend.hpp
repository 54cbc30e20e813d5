// The back ends of this installation: found and loaded on request only, with a reason for every one that is not there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend_abi.h"
#include "core/block_launcher.hpp"

namespace dd {

struct BackendDevice {
  std::string name;
  std::uint64_t memory_bytes = 0;
  std::string compute_capability;  ///< "9.0"
  std::string driver_version;      ///< newest CUDA version the driver knows, "13.0"
};

struct BackendStatus {
  std::string name;  ///< "cpu", "cuda"
  bool available = false;
  std::string reason;                  ///< why not; empty when available
  std::vector<BackendDevice> devices;  ///< none for the CPU
};

/// Says where the add-on lies: the first place to look for back-end files. Must be absolute; others are refused with
/// ERR_INVALID_ARG_VALUE. Call before the first probe.
void set_backend_directory(std::string_view directory);

/// Probes every back end: "cpu" first, always available. Nothing is printed and nothing thrown for a missing one.
/// A back end `name` is the file libdiscrete-descent-<name>.so in the add-on's directory or in a directory of
/// DISCRETE_DESCENT_BACKEND_PATH (absolute paths, separated by ':'); never in the current directory.
/// DISCRETE_DESCENT_NO_BACKENDS (set, not empty, not "0") switches all probing off.
std::vector<BackendStatus> backends();

/// Opens device number `device` of the back end `name` for one queue of work. The launcher belongs to one thread at a
/// time; several launchers on one device are fine.
/// @throws dd::Error ERR_BACKEND_UNAVAILABLE with the reason, ERR_OUT_OF_MEMORY, ERR_BACKEND_FAILED
std::unique_ptr<BlockLauncher> open_backend(std::string_view name, std::uint32_t device = 0);

/// The table of the back end in `file`, or null and the reason. Files are loaded once and stay loaded.
const DdBackend* load_backend_file(const std::string& file, std::string& reason);

}  // namespace dd
