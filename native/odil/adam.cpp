// Adam on vectors cut for the pool.
#include "odil/adam.hpp"

#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "odil/adam_isa.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t adam_elements_per_task = std::size_t{1} << 15;

const AdamOptions& checked(const AdamOptions& options) {
  require_positive(options.learning_rate, "learningRate");
  require_positive(options.epsilon, "epsilon");
  for (const auto& [beta, name] : {std::pair{options.beta1, "beta1"}, std::pair{options.beta2, "beta2"}}) {
    if (!(beta >= 0 && beta < 1)) {
      throw Error(ErrorCode::out_of_range, name,
                  std::string("`") + name + "` must be in [0, 1), got " + std::to_string(beta));
    }
  }
  return options;
}

}  // namespace

double adam_rate(const AdamOptions& options, std::uint64_t step) noexcept {
  const double t = static_cast<double>(step);
  return options.learning_rate * std::sqrt(1 - std::pow(options.beta2, t)) / (1 - std::pow(options.beta1, t));
}

template <class T>
void adam_update(const AdamOptions& options, std::uint64_t step, std::span<const T> gradient, std::span<T> x,
                 std::span<T> first_moment, std::span<T> second_moment, std::size_t threads) {
  const T rate = static_cast<T>(adam_rate(options, step));
  parallel_for(threads, x.size(), adam_elements_per_task, [&](std::size_t begin, std::size_t end) {
    const AdamUpdate<T> arguments{gradient.data() + begin,
                                  x.data() + begin,
                                  first_moment.data() + begin,
                                  second_moment.data() + begin,
                                  end - begin,
                                  rate,
                                  static_cast<T>(1 - options.beta1),
                                  static_cast<T>(1 - options.beta2),
                                  static_cast<T>(options.epsilon)};
    if constexpr (sizeof(T) == 8) {
      adam_update_float64(&arguments);
    } else {
      adam_update_float32(&arguments);
    }
  });
}

template <class T>
Adam<T>::Adam(const AdamOptions& options, std::span<const T> initial)
    : DirectMethod<T>(initial),
      options_(checked(options)),
      first_moment_(initial.size(), T(0)),
      second_moment_(initial.size(), T(0)) {}

template <class T>
Adam<T>::Adam(const AdamOptions& options, const Checkpoint& checkpoint)
    : DirectMethod<T>(checkpoint, 2, 0),
      options_(checked(options)),
      first_moment_(this->size()),
      second_moment_(this->size()) {
  const double* moments = this->more_values(checkpoint);
  for (std::size_t i = 0; i < this->size(); ++i) {
    first_moment_[i] = static_cast<T>(moments[i]);
    second_moment_[i] = static_cast<T>(moments[this->size() + i]);
  }
}

template <class T>
void Adam<T>::step(std::span<const T> gradient, std::size_t threads) {
  adam_update<T>(options_, this->iterations_ + 1, gradient, this->current_.span(), first_moment_.span(),
                 second_moment_.span(), threads);
}

template <class T>
Checkpoint Adam<T>::save() const {
  Checkpoint checkpoint = FirstOrderMethod<T>::save();
  checkpoint.values.insert(checkpoint.values.end(), first_moment_.begin(), first_moment_.end());
  checkpoint.values.insert(checkpoint.values.end(), second_moment_.begin(), second_moment_.end());
  return checkpoint;
}

template void adam_update(const AdamOptions&, std::uint64_t, std::span<const float>, std::span<float>, std::span<float>,
                          std::span<float>, std::size_t);
template void adam_update(const AdamOptions&, std::uint64_t, std::span<const double>, std::span<double>,
                          std::span<double>, std::span<double>, std::size_t);
template class Adam<float>;
template class Adam<double>;

}  // namespace dd::odil
