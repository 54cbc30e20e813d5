// Search, loading and probing of back-end files.
#include "core/backend.hpp"

#include <array>
#include <cstdlib>
#include <mutex>

#include "core/backend_launcher.hpp"
#include "core/error.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <unistd.h>
#define DD_HAS_DLOPEN 1
#endif

namespace dd {
namespace {

constexpr std::array<std::string_view, 1> known_backends{"cuda"};

#if defined(__APPLE__)
constexpr std::string_view library_suffix = ".dylib";
#else
constexpr std::string_view library_suffix = ".so";
#endif

struct LoadedFile {
  std::string file;
  const DdBackend* backend;
};

/// The back-end table of the process.
struct BackendTable {
  std::mutex mutex;
  std::string directory;
  std::vector<LoadedFile> loaded;
};

BackendTable& table() {
  static BackendTable instance;
  return instance;
}

bool switched_off() noexcept {
  const char* value = std::getenv("DISCRETE_DESCENT_NO_BACKENDS");
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

/// The add-on's directory, then the absolute directories of DISCRETE_DESCENT_BACKEND_PATH.
std::vector<std::string> search_path() {
  std::vector<std::string> directories;
  {
    const std::lock_guard lock(table().mutex);
    if (!table().directory.empty()) directories.push_back(table().directory);
  }
  const char* variable = std::getenv("DISCRETE_DESCENT_BACKEND_PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view directory = rest.substr(0, end);
    if (!directory.empty() && directory.front() == '/') directories.emplace_back(directory);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return directories;
}

/// The table of a back end by name, or null and the reason.
const DdBackend* find_backend(std::string_view name, std::string& reason) {
  if (switched_off()) {
    reason = "switched off by DISCRETE_DESCENT_NO_BACKENDS";
    return nullptr;
  }
#ifdef DD_HAS_DLOPEN
  const std::string file_name = "libdiscrete-descent-" + std::string(name) + std::string(library_suffix);
  std::string searched;
  for (const std::string& directory : search_path()) {
    std::string file = directory;
    file += "/" + file_name;
    if (access(file.c_str(), F_OK) == 0) return load_backend_file(file, reason);
    if (!searched.empty()) searched += ", ";
    searched += directory;
  }
  reason = "file missing: " + file_name + " was not found" + (searched.empty() ? "" : " in " + searched) +
           "; this build has no such back end";
#else
  reason = "back ends in files of their own are not supported on this platform";
#endif
  return nullptr;
}

std::vector<BackendDevice> list_devices(const DdBackend& backend, std::string& reason) {
  std::vector<BackendDevice> devices;
  std::uint32_t count = 0;
  if (backend.device_count(&count) != DD_BACKEND_OK) {
    reason = backend.last_error();
    return devices;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    DdBackendDeviceInfo info{};
    info.struct_size = sizeof info;
    if (backend.device_info(i, &info) != DD_BACKEND_OK) {
      reason = backend.last_error();
      return {};
    }
    const auto version = [](std::uint32_t a, std::uint32_t b) { return std::to_string(a) + "." + std::to_string(b); };
    devices.push_back({info.name, info.memory_bytes, version(info.compute_major, info.compute_minor),
                       version(info.driver_version / 1000, info.driver_version % 1000 / 10)});
  }
  if (devices.empty()) reason = "no device";
  return devices;
}

}  // namespace

void set_backend_directory(std::string_view directory) {
  if (directory.empty() || directory.front() != '/') {
    throw Error(ErrorCode::invalid_argument_value, "directory",
                "`directory` of the back ends must be an absolute path, got \"" + std::string(directory) + "\"");
  }
  const std::lock_guard lock(table().mutex);
  table().directory = directory;
}

const DdBackend* load_backend_file(const std::string& file, std::string& reason) {
#ifdef DD_HAS_DLOPEN
  const std::lock_guard lock(table().mutex);
  for (const LoadedFile& known : table().loaded) {
    if (known.file == file) return known.backend;
  }
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    reason = std::string("file not loadable: ") + dlerror();
    return nullptr;
  }
  const auto entry = reinterpret_cast<DdBackendEntry>(dlsym(library, DD_BACKEND_ENTRY_NAME));
  if (entry == nullptr) {
    reason = "entry missing: " + file + " has no function " DD_BACKEND_ENTRY_NAME;
    dlclose(library);
    return nullptr;
  }
  const DdBackend* backend = entry(DD_BACKEND_ABI);
  if (backend == nullptr || backend->abi != DD_BACKEND_ABI || backend->struct_size < sizeof(DdBackend)) {
    reason = "ABI mismatch: " + file + " belongs to another version of this package";
    if (backend != nullptr) {
      reason += " (ABI " + std::to_string(backend->abi) + " with " + std::to_string(backend->struct_size) +
                " bytes, needed " + std::to_string(DD_BACKEND_ABI) + " with " + std::to_string(sizeof(DdBackend)) + ")";
    }
    dlclose(library);
    return nullptr;
  }
  table().loaded.push_back({file, backend});
  return backend;
#else
  reason = file + ": back ends in files of their own are not supported on this platform";
  return nullptr;
#endif
}

std::vector<BackendStatus> backends() {
  std::vector<BackendStatus> all;
  all.push_back({"cpu", true, "", {}});
  for (const std::string_view name : known_backends) {
    BackendStatus status{std::string(name), false, "", {}};
    if (const DdBackend* backend = find_backend(name, status.reason)) {
      status.devices = list_devices(*backend, status.reason);
      status.available = status.reason.empty();
    }
    all.push_back(std::move(status));
  }
  return all;
}

std::unique_ptr<BlockLauncher> open_backend(std::string_view name, std::uint32_t device) {
  std::string reason = "there is no back end of this name";
  const DdBackend* backend = nullptr;
  for (const std::string_view known : known_backends) {
    if (known == name) backend = find_backend(name, reason);
  }
  if (backend == nullptr) {
    throw Error(ErrorCode::backend_unavailable, "backend",
                "`backend` \"" + std::string(name) + "\" is not available: " + reason);
  }
  return std::make_unique<BackendLauncher>(*backend, device);
}

}  // namespace dd
