// The buffers behind scratch(); they only grow.
#include "linalg/workspace.hpp"

#include <array>

#include "core/aligned_buffer.hpp"

namespace dd::linalg::detail {

void* scratch_bytes(Scratch purpose, std::size_t bytes) {
  thread_local std::array<AlignedBuffer<std::byte>, static_cast<std::size_t>(Scratch::count)> buffers;
  AlignedBuffer<std::byte>& buffer = buffers[static_cast<std::size_t>(purpose)];
  buffer.reserve_discarding(bytes == 0 ? 1 : bytes);
  return buffer.data();
}

}  // namespace dd::linalg::detail
