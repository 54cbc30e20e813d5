// Just enough JSON to read the golden vectors: no escapes beyond \", numbers by strtod, null as NaN.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace dd::test {

struct Json {
  enum class Kind { null, boolean, number, text, array, object } kind = Kind::null;
  double number = std::numeric_limits<double>::quiet_NaN();
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json> members;

  const Json& operator[](const std::string& name) const {
    const auto found = members.find(name);
    if (found == members.end()) throw std::runtime_error("no member " + name);
    return found->second;
  }
  bool has(const std::string& name) const { return members.count(name) > 0; }
  /// Numbers of an array; null becomes `missing`.
  std::vector<double> numbers(double missing = std::numeric_limits<double>::quiet_NaN()) const {
    std::vector<double> values;
    for (const Json& item : items) values.push_back(item.kind == Kind::null ? missing : item.number);
    return values;
  }
  std::vector<std::int32_t> integers() const {
    std::vector<std::int32_t> values;
    for (const Json& item : items) values.push_back(static_cast<std::int32_t>(item.number));
    return values;
  }
};

class JsonReader {
 public:
  explicit JsonReader(std::string source) : source_(std::move(source)) {}
  Json read() {
    Json value = read_value();
    skip();
    if (at_ != source_.size()) fail();
    return value;
  }

 private:
  [[noreturn]] void fail() const { throw std::runtime_error("bad JSON at " + std::to_string(at_)); }
  void skip() {
    while (at_ < source_.size() && std::string(" \t\r\n").find(source_[at_]) != std::string::npos) ++at_;
  }
  bool take(char wanted) {
    skip();
    if (at_ >= source_.size() || source_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  std::string read_text() {
    std::string text;
    while (at_ < source_.size() && source_[at_] != '"') {
      if (source_[at_] == '\\') ++at_;
      text += source_[at_++];
    }
    ++at_;
    return text;
  }
  Json read_value() {
    Json value;
    if (take('{')) {
      value.kind = Json::Kind::object;
      if (take('}')) return value;
      do {
        if (!take('"')) fail();
        const std::string name = read_text();
        if (!take(':')) fail();
        value.members[name] = read_value();
      } while (take(','));
      if (!take('}')) fail();
    } else if (take('[')) {
      value.kind = Json::Kind::array;
      if (take(']')) return value;
      do {
        value.items.push_back(read_value());
      } while (take(','));
      if (!take(']')) fail();
    } else if (take('"')) {
      value.kind = Json::Kind::text;
      value.text = read_text();
    } else if (source_.compare(at_, 4, "null") == 0) {
      at_ += 4;
    } else if (source_.compare(at_, 4, "true") == 0 || source_.compare(at_, 5, "false") == 0) {
      value.kind = Json::Kind::boolean;
      value.number = source_[at_] == 't' ? 1 : 0;
      at_ += source_[at_] == 't' ? 4 : 5;
    } else {
      char* end = nullptr;
      value.kind = Json::Kind::number;
      value.number = std::strtod(source_.c_str() + at_, &end);
      if (end == source_.c_str() + at_) fail();
      at_ = static_cast<std::size_t>(end - source_.c_str());
    }
    return value;
  }

  std::string source_;
  std::size_t at_ = 0;
};

/// The file `name` of test/golden/vectors.
inline Json read_vectors(const std::string& name) {
  std::string path(DD_GOLDEN_VECTORS "/");
  path += name;
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot open " + path);
  std::string source;
  char part[65536];
  for (std::size_t read = 0; (read = std::fread(part, 1, sizeof part, file)) > 0;) source.append(part, read);
  std::fclose(file);
  return JsonReader(source).read();
}

}  // namespace dd::test
