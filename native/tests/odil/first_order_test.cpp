// Gradient methods: the formula of Adam, minima that are known, statuses, checkpoints to the bit, threads.
#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "odil/adam.hpp"
#include "odil/gradient_descent.hpp"
#include "odil/lbfgs.hpp"

namespace {

using namespace dd;
using namespace dd::odil;

/// Rosenbrock's valley in pairs of variables; minimum 0 at 1.
template <class T>
constexpr auto valley = [](std::span<const T> z, std::span<T> gradient) {
  double loss = 0;
  for (std::size_t i = 0; i + 1 < z.size(); i += 2) {
    const double x = z[i], y = z[i + 1], up = y - x * x;
    loss += (1 - x) * (1 - x) + 100 * up * up;
    gradient[i] = static_cast<T>(-2 * (1 - x) - 400 * x * up);
    gradient[i + 1] = static_cast<T>(200 * up);
  }
  return loss;
};

/// sum_i c_i (z_i - 1)^2 / 2 with c from 1 to 100.
constexpr auto bowl = [](std::span<const double> z, std::span<double> gradient) {
  double loss = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double c = 1 + 99 * static_cast<double>(i) / static_cast<double>(z.size());
    gradient[i] = c * (z[i] - 1);
    loss += c * (z[i] - 1) * (z[i] - 1) / 2;
  }
  return loss;
};

template <class T>
class FunctionObjective final : public Objective<T> {
 public:
  using Function = double (*)(std::span<const T> z, std::span<T> gradient);
  explicit FunctionObjective(Function function) : function_(function) {}
  double evaluate(std::span<const T> z, std::span<T> gradient) override { return function_(z, gradient); }
  double loss(std::span<const T> z) override {
    std::vector<T> gradient(z.size());
    return function_(z, gradient);
  }

 private:
  Function function_;
};
template <class T>
FunctionObjective(double (*)(std::span<const T>, std::span<T>)) -> FunctionObjective<T>;

template <class Function>
auto& of(Function function) {
  static FunctionObjective objective(+function);
  return objective;
}

constexpr auto silent = [](const FirstOrderRecord&) {};

std::vector<double> start(std::size_t count) {
  std::vector<double> z(count);
  for (std::size_t i = 0; i < count; ++i) z[i] = i % 2 == 0 ? -1.2 : 1.0;
  return z;
}

template <class Method>
void check_resumes(auto options) {
  const std::vector<double> initial = start(40);
  RunControl control(1);
  Method whole(options, initial), part(options, initial);
  whole.run(of(valley<double>), {.iterations = 30}, control, silent);
  part.run(of(valley<double>), {.iterations = 13}, control, silent);
  const Checkpoint checkpoint = part.save();
  Method resumed(options, checkpoint);
  resumed.run(of(valley<double>), {.iterations = 17}, control, silent);
  CHECK(std::equal(whole.current().begin(), whole.current().end(), resumed.current().begin()));
  CHECK(std::equal(whole.best().begin(), whole.best().end(), resumed.best().begin()));
  CHECK(whole.best_loss() == resumed.best_loss());
  CHECK(whole.iterations() == resumed.iterations());
  CHECK(resumed.save().values == whole.save().values);
  Checkpoint broken = checkpoint;
  broken.values.pop_back();
  CHECK_THROWS_AS(Method(options, broken), Error);
  broken = checkpoint;
  broken.counters.push_back(3);
  CHECK_THROWS_AS(Method(options, broken), Error);
}

}  // namespace

TEST_SUITE("odil/first_order") {
  TEST_CASE("L-BFGS reaches the end of the valley and says why it stopped") {
    RunControl control(1);
    Lbfgs<double> method({}, start(200));
    double before = INFINITY;
    std::uint64_t lines = 0;
    const FirstOrderResult result = method.run(of(valley<double>), {.iterations = 200, .gradient_tolerance = 1e-9},
                                               control, [&](const FirstOrderRecord& record) {
                                                 CHECK(record.iteration == lines++);
                                                 CHECK(record.loss <= before);
                                                 before = record.loss;
                                               });
    CHECK(result.status == SolveStatus::gradient);
    CHECK(result.iterations < 80);
    CHECK(method.evaluations() < 2 * result.iterations);
    for (const double z : method.current()) CHECK(z == doctest::Approx(1).epsilon(1e-8));
    CHECK(method.best_loss() == result.loss);

    Lbfgs<float> single({}, std::vector<float>(200, 0.5f));
    single.run(of(valley<float>), {.iterations = 300}, control, silent);
    for (const float z : single.best()) CHECK(z == doctest::Approx(1).epsilon(1e-3));
  }

  TEST_CASE("a quadratic of n variables needs about n steps, and rounding ends the run by itself") {
    RunControl control(1);
    Lbfgs<double> method({}, std::vector<double>(30, 0.0));
    const FirstOrderResult result = method.run(of(bowl), {.iterations = 10000}, control, silent);
    CHECK(result.status != SolveStatus::max_iterations);
    CHECK(result.iterations < 100);
    CHECK(result.loss < 1e-25);
  }

  TEST_CASE("Adam: three steps by hand, and a bowl") {
    const double rate = 0.1;
    double z = 0, m = 0, v = 0;
    for (int t = 1; t <= 3; ++t) {
      const double g = z - 1;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      z -= rate * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)) * m / (std::sqrt(v) + 1e-7);
    }
    RunControl control(1);
    Adam<double> method({.learning_rate = rate}, std::vector<double>(1, 0.0));
    const FirstOrderResult result = method.run(of(bowl), {.iterations = 3}, control, silent);
    CHECK(result.status == SolveStatus::max_iterations);
    CHECK(method.current()[0] == doctest::Approx(z).epsilon(1e-14));
    CHECK(result.loss == doctest::Approx((z - 1) * (z - 1) / 2).epsilon(1e-13));

    Adam<double> longer({.learning_rate = 0.02}, std::vector<double>(50, 0.0));
    CHECK(longer.run(of(bowl), {.iterations = 2000}, control, silent).loss < 1e-6);
  }

  TEST_CASE("gradient descent contracts as its rate says") {
    RunControl control(1);
    GradientDescent<double> method({.learning_rate = 0.01}, std::vector<double>(1, 0.0));
    method.run(of(bowl), {.iterations = 10}, control, silent);
    CHECK(method.current()[0] == doctest::Approx(1 - std::pow(0.99, 10)).epsilon(1e-13));
  }

  TEST_CASE("runs go on from a checkpoint to the bit") {
    check_resumes<Adam<double>>(AdamOptions{.learning_rate = 0.01});
    check_resumes<GradientDescent<double>>(GradientDescentOptions{.learning_rate = 1e-4});
    check_resumes<Lbfgs<double>>(LbfgsOptions{.memory = 5, .line_search = {}});
  }

  TEST_CASE("the bits do not depend on the number of threads") {
    const std::size_t count = 150001;
    for (const std::size_t threads : {2, 7}) {
      RunControl one(1), many(threads);
      Lbfgs<double> a({.memory = 4, .line_search = {}}, std::vector<double>(count, 0.0));
      Lbfgs<double> b({.memory = 4, .line_search = {}}, std::vector<double>(count, 0.0));
      a.run(of(bowl), {.iterations = 6}, one, silent);
      b.run(of(bowl), {.iterations = 6}, many, silent);
      CHECK(std::equal(a.current().begin(), a.current().end(), b.current().begin()));
      Adam<double> c({}, std::vector<double>(count, 0.0)), d({}, std::vector<double>(count, 0.0));
      c.run(of(bowl), {.iterations = 3}, one, silent);
      d.run(of(bowl), {.iterations = 3}, many, silent);
      CHECK(std::equal(c.current().begin(), c.current().end(), d.current().begin()));
    }
  }

  TEST_CASE("statuses: tolerances, a stop from outside, NaN on the way, no way down") {
    RunControl control(1);
    const std::vector<double> zeros(10, 0.0);
    GradientDescent<double> steps({.learning_rate = 0.01}, zeros);
    CHECK(steps.run(of(bowl), {.iterations = 100000, .step_tolerance = 1e-4}, control, silent).status ==
          SolveStatus::step);
    Lbfgs<double> losses({}, start(20));
    CHECK(losses.run(of(valley<double>), {.iterations = 1000, .loss_tolerance = 0.5}, control, silent).status ==
          SolveStatus::loss);

    RunControl cancelled(1);
    Lbfgs<double> stopped({}, start(20));
    const FirstOrderResult after = stopped.run(of(valley<double>), {}, cancelled, [&](const FirstOrderRecord& record) {
      if (record.iteration == 4) cancelled.cancel();
    });
    CHECK(after.status == SolveStatus::cancelled);
    CHECK(after.iterations == 4);
    std::vector<double> gradient(20);
    CHECK(valley<double>(stopped.current(), gradient) == after.loss);

    // The root of a negative number beyond 0.5: the last state before it is kept.
    const auto cliff = [](std::span<const double> z, std::span<double> g) {
      g[0] = -1;
      return std::sqrt(0.5 - z[0]);
    };
    GradientDescent<double> falls({.learning_rate = 0.2}, std::vector<double>(1, 0.0));
    const FirstOrderResult fallen = falls.run(of(cliff), {}, control, silent);
    CHECK(fallen.status == SolveStatus::not_finite);
    CHECK(falls.current()[0] == doctest::Approx(0.4));
    CHECK(fallen.iterations == 2);
    CHECK(fallen.loss == doctest::Approx(std::sqrt(0.1)));

    const auto wrong_way = [](std::span<const double> z, std::span<double> g) {
      g[0] = -1;
      return z[0] * z[0];
    };
    Lbfgs<double> lost({}, std::vector<double>(1, 0.0));
    CHECK(lost.run(of(wrong_way), {}, control, silent).status == SolveStatus::stalled);
    CHECK(lost.current()[0] == 0);
    const auto nowhere = [](std::span<const double> z, std::span<double> g) {
      g[0] = -1;
      return z[0] == 0 ? 0.0 : NAN;
    };
    Lbfgs<double> blind({}, std::vector<double>(1, 0.0));
    CHECK(blind.run(of(nowhere), {}, control, silent).status == SolveStatus::not_finite);
    CHECK(blind.current()[0] == 0);
  }

  TEST_CASE("bad input") {
    const std::vector<double> zeros(3, 0.0), bad{0, NAN};
    CHECK_THROWS_AS(Adam<double>({.learning_rate = 0}, zeros), Error);
    CHECK_THROWS_AS(Adam<double>({.learning_rate = 1, .beta1 = 1}, zeros), Error);
    CHECK_THROWS_AS(Adam<double>({}, bad), Error);
    CHECK_THROWS_AS(GradientDescent<double>({.learning_rate = NAN}, zeros), Error);
    CHECK_THROWS_AS(Lbfgs<double>({.memory = 0, .line_search = {}}, zeros), Error);
    CHECK_THROWS_AS(Lbfgs<double>({.memory = 5, .line_search = {.decrease = 0.9, .curvature = 0.5}}, zeros), Error);
  }
}
