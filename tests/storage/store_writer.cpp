// A process that writes a store, for tests that need a second one or want to kill it.
//   store_writer write FILE RUN STEPS   a whole run of STEPS steps
//   store_writer endless FILE RUN       a point per millisecond until killed; each step and the
//                                       time it was handed over (monotonic ms) go to stdout
//   store_writer open FILE              opens for writing as an unprivileged user
//   store_writer read FILE              opens for reading as an unprivileged user
// Exit code: that of the error, 0 if there was none.
#include <grp.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "storage/run_catalog.h"
#include "storage/run_store.h"

namespace lathe::storage {
namespace {

constexpr uid_t kNobody = 65534;

std::int64_t monotonic_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

int report(const Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  return exit_code(error.kind);
}

void begin_run(RunStore& store, const std::string& run, std::int64_t steps) {
  experiments::RunCreated created;
  created.run = run;
  created.name = run;
  created.spec = Json::object();
  created.kind = "train";
  store.on_event(created);
  experiments::RunStarted started;
  started.run = run;
  started.total_steps = steps;
  store.on_event(started);
}

int write(const std::string& file, const std::string& run, std::int64_t steps) {
  auto store = open_store(file);
  if (!store) {
    return report(store.error());
  }
  begin_run(**store, run, steps);
  for (std::int64_t step = 1; step <= steps; ++step) {
    experiments::MetricBatch batch{run, {}};
    for (const char* metric : {"train/loss", "train/acc", "train/lr", "perf/step_ms"}) {
      batch.points.push_back({metric, step, static_cast<double>(step), step});
    }
    (*store)->on_event(batch);
  }
  (*store)->on_event(experiments::RunFinished{run, experiments::RunState::kDone, steps});
  const Result<void> flushed = (*store)->flush();
  return flushed ? 0 : report(flushed.error());
}

int write_until_killed(const std::string& file, const std::string& run) {
  auto store = open_store(file);
  if (!store) {
    return report(store.error());
  }
  begin_run(**store, run, 1'000'000);
  for (std::int64_t step = 1;; ++step) {
    (*store)->on_event(
        experiments::MetricBatch{run, {{"train/loss", step, static_cast<double>(step), step}}});
    std::printf("%lld %lld\n", static_cast<long long>(step),
                static_cast<long long>(monotonic_ms()));
    std::fflush(stdout);
    usleep(1000);
  }
}

// Root may write everywhere, which no test of rights can use.
bool drop_rights() {
  return geteuid() != 0 ||
         (setgroups(0, nullptr) == 0 && setgid(kNobody) == 0 && setuid(kNobody) == 0);
}

int run_verb(const std::vector<std::string>& arguments) {
  const std::string& verb = arguments.at(0);
  const std::string& file = arguments.at(1);
  if (verb == "write") {
    return write(file, arguments.at(2), std::stoll(arguments.at(3)));
  }
  if (verb == "endless") {
    return write_until_killed(file, arguments.at(2));
  }
  if (!drop_rights()) {
    return 99;
  }
  if (verb == "open") {
    const auto store = open_store(file);
    return store ? 0 : report(store.error());
  }
  const auto catalog = open_catalog(file);
  if (!catalog) {
    return report(catalog.error());
  }
  const auto runs = (*catalog)->runs();
  return runs ? 0 : report(runs.error());
}

}  // namespace
}  // namespace lathe::storage

int main(int argc, char** argv) {
  return lathe::storage::run_verb({argv + 1, argv + argc});
}
