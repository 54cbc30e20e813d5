// Calls of a back end, checked.
#include "core/backend_launcher.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace dd {
namespace {

void check(const DdBackend& backend, std::int32_t status, const char* what) {
  if (status == DD_BACKEND_OK) return;
  const ErrorCode code = status == DD_BACKEND_OUT_OF_MEMORY ? ErrorCode::out_of_memory
                         : status == DD_BACKEND_UNAVAILABLE ? ErrorCode::backend_unavailable
                                                            : ErrorCode::backend_failed;
  std::string message = std::string("back end `") + backend.name + "`, " + what + ": " + backend.last_error();
  if (status == DD_BACKEND_DEVICE_LOST) message += " (the device is lost to this process)";
  throw Error(code, "backend", std::move(message));
}

}  // namespace

DeviceBuffer::DeviceBuffer(const DdBackend& backend, DdBackendContext* context, std::size_t bytes)
    : backend_(&backend), context_(context), bytes_(bytes) {
  check(backend, backend.allocate(context, bytes, &data_), ("allocating " + std::to_string(bytes) + " bytes").c_str());
}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(backend_, other.backend_);
  std::swap(context_, other.context_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ != nullptr) backend_->release(context_, data_);  // on a lost device the memory is gone already
}

BackendLauncher::BackendLauncher(const DdBackend& backend, std::uint32_t device)
    : backend_(backend), context_(nullptr, DestroyContext{&backend}) {
  DdBackendContext* context = nullptr;
  check(backend, backend.create_context(device, &context), "opening the device");
  context_.reset(context);
}

void BackendLauncher::synchronize() { check(backend_, backend_.synchronize(context_.get()), "waiting for the device"); }

void BackendLauncher::release_allocations(std::size_t keep) noexcept {
  while (live_.size() > keep) {
    // Capacity for it was reserved when it was allocated, so this does not throw.
    spare_.push_back(std::move(live_.back()));
    live_.pop_back();
  }
}

void* BackendLauncher::allocate_bytes(std::size_t bytes) {
  live_.reserve(live_.size() + 1);
  spare_.reserve(live_.size() + 1 + spare_.size());
  // The smallest spare buffer that fits and is not more than twice too large.
  auto best = spare_.end();
  for (auto it = spare_.begin(); it != spare_.end(); ++it) {
    const bool fits = it->bytes() >= bytes && it->bytes() / 2 <= bytes;
    if (fits && (best == spare_.end() || it->bytes() < best->bytes())) best = it;
  }
  if (best != spare_.end()) {
    live_.push_back(std::move(*best));
    spare_.erase(best);
    return live_.back().data();
  }
  try {
    live_.emplace_back(backend_, context_.get(), bytes);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::out_of_memory || spare_.empty()) throw;
    spare_.clear();
    live_.emplace_back(backend_, context_.get(), bytes);
  }
  return live_.back().data();
}

void BackendLauncher::launch_kernel(const BlockKernelInfo& kernel, const void* arguments, Grid grid) {
  if (grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535) {
    throw Error(ErrorCode::out_of_range, "grid",
                std::string("kernel ") + kernel.name + " wants a grid that no device has");
  }
  const auto known = kernels_.find(&kernel);
  std::uint32_t number = 0;
  if (known != kernels_.end()) {
    number = known->second;
  } else {
    check(backend_, backend_.find_kernel(context_.get(), kernel.name, &number),
          (std::string("looking for kernel ") + kernel.name).c_str());
    kernels_.emplace(&kernel, number);
  }
  const std::uint32_t blocks[3] = {grid.x, grid.y, grid.z};
  const std::uint32_t threads[2] = {kernel.shape.width, kernel.shape.height};
  check(backend_, backend_.launch(context_.get(), number, blocks, threads, arguments),
        (std::string("launching kernel ") + kernel.name).c_str());
}

void BackendLauncher::upload_bytes(void* device, const void* source, std::size_t bytes) {
  check(backend_, backend_.upload(context_.get(), device, source, bytes), "copying to the device");
  synchronize();
}

void BackendLauncher::download_bytes(const void* device, void* destination, std::size_t bytes) {
  check(backend_, backend_.download(context_.get(), device, destination, bytes), "copying from the device");
  synchronize();
}

}  // namespace dd
