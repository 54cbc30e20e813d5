// Limits, cancellation and throttled reports of a run, and runs that are parts of others.
#include "core/run_control.hpp"

#include <doctest/doctest.h>

#include <atomic>

TEST_CASE("a run stops when cancelled, by a flag outside, or when its time is over") {
  dd::RunControl run;
  CHECK(run.stop_reason() == dd::StopReason::none);
  run.cancel();
  CHECK(run.stop_reason() == dd::StopReason::cancelled);

  dd::RunControl watched;
  std::atomic<std::int32_t> flag{0};
  watched.watch(&flag);
  CHECK_FALSE(watched.should_stop());
  flag = 1;
  CHECK(watched.cancelled());

  const dd::RunControl over(1, 0);
  CHECK(over.stop_reason() == dd::StopReason::time_limit);
}

TEST_CASE("a part stops with its parent, and by its own limit alone") {
  dd::RunControl parent;
  const dd::RunControl part(parent, 1e9);
  const dd::RunControl short_part(parent, 0);
  CHECK_FALSE(part.should_stop());
  CHECK(short_part.stop_reason() == dd::StopReason::time_limit);
  CHECK_FALSE(parent.should_stop());
  parent.cancel();
  CHECK(part.stop_reason() == dd::StopReason::cancelled);
}

TEST_CASE("reports are throttled and carry the seconds") {
  dd::RunControl run;
  CHECK_FALSE(run.wants_progress());
  int reports = 0;
  run.on_progress(
      [&](const dd::Progress& progress) {
        ++reports;
        CHECK(progress.seconds >= 0);
      },
      1e6);
  CHECK(run.wants_progress());
  run.report({});
  CHECK_FALSE(run.wants_progress());
  run.report({});
  CHECK(reports == 1);
}
