// The rules of the checking executor, in words that name the culprit.
#include "core/block_check.hpp"

#include "core/error.hpp"

namespace dd {
namespace {

std::string thread_name(unsigned thread) {
  if (thread == many_threads) return "several threads";
  return "thread " + std::to_string(thread);
}

}  // namespace

CheckContext*& CheckContext::current() noexcept {
  thread_local CheckContext* context = nullptr;
  return context;
}

void CheckContext::fail(const std::string& rule) const {
  throw Error(ErrorCode::internal, kernel_,
              std::string("block kernel ") + kernel_ + ", block (" + std::to_string(block_[0]) + ", " +
                  std::to_string(block_[1]) + ", " + std::to_string(block_[2]) + "), region " +
                  std::to_string(region_) + ": " + rule);
}

void CheckContext::conflict(const char* rule, unsigned other, unsigned array, std::size_t index) const {
  fail(std::string(rule) + ": element " + std::to_string(index) + " of shared array " + std::to_string(array) +
       " is touched by " + thread_name(other) + " and by thread " + std::to_string(thread_) + " in one region");
}

void CheckContext::begin_region() {
  if (inside_) fail("a region, reduction or broadcast inside a region");
  inside_ = true;
  ++region_;
}

void CheckContext::index(unsigned array, std::size_t index, std::size_t count) const {
  if (index < count) return;
  fail("index " + std::to_string(index) + " is out of range of shared array " + std::to_string(array) + " with " +
       std::to_string(count) + " elements (" + (inside_ ? thread_name(thread_) : "outside a region") + ")");
}

void CheckContext::read(ElementShadow& element, unsigned array, std::size_t index) const {
  if (!inside_) fail("shared memory read outside a region: control flow must be uniform, use broadcast");
  if (!element.written) {
    fail("uninitialised read: element " + std::to_string(index) + " of shared array " + std::to_string(array) +
         " was never written (" + thread_name(thread_) + ")");
  }
  if (element.write_region == region_ && element.writer != thread_) {
    conflict("read-after-write race", element.writer, array, index);
  }
  element.reader = element.read_region == region_ && element.reader != thread_ && element.reader != no_thread
                       ? many_threads
                       : thread_;
  element.read_region = region_;
}

void CheckContext::write(ElementShadow& element, unsigned array, std::size_t index) const {
  if (!inside_) fail("shared memory written outside a region");
  if (element.written && element.write_region == region_ && element.writer != thread_) {
    conflict("write-write race", element.writer, array, index);
  }
  if (element.read_region == region_ && element.reader != no_thread && element.reader != thread_) {
    conflict("write-after-read race", element.reader, array, index);
  }
  element.writer = thread_;
  element.write_region = region_;
  element.written = true;
  element.atomic = false;
}

void CheckContext::atomic(ElementShadow& element, unsigned array, std::size_t index) const {
  if (!inside_) fail("atomic operation outside a region");
  if (!element.written) {
    fail("atomic operation on element " + std::to_string(index) + " of shared array " + std::to_string(array) +
         ", which was never written");
  }
  const bool touched = element.write_region == region_;
  if (touched && !element.atomic && element.writer != thread_) {
    conflict("atomic operation after a plain write", element.writer, array, index);
  }
  if (element.read_region == region_ && element.reader != no_thread && element.reader != thread_) {
    conflict("atomic operation after a plain read", element.reader, array, index);
  }
  // A plain write of the same thread stays a plain write: other threads' atomics are not ordered after it.
  const bool plain = touched && !element.atomic;
  element.writer = touched && element.writer != thread_ ? many_threads : thread_;
  element.write_region = region_;
  element.atomic = !plain;
}

void CheckContext::uniform_read(const ElementShadow& element, unsigned array, std::size_t index) const {
  if (!element.written) {
    fail("uninitialised read: broadcast of element " + std::to_string(index) + " of shared array " +
         std::to_string(array) + ", which was never written");
  }
}

void CheckContext::private_access(unsigned thread, unsigned threads) const {
  if (!inside_) fail("private value used outside a region: use broadcast");
  if (thread >= threads) fail("private value of thread " + std::to_string(thread) + " of " + std::to_string(threads));
  if (thread != thread_) {
    fail(thread_name(thread_) + " uses the private value of thread " + std::to_string(thread));
  }
}

void CheckContext::private_written(bool written, unsigned thread) const {
  if (!written) fail("uninitialised read: private value of thread " + std::to_string(thread) + " was never written");
}

}  // namespace dd
