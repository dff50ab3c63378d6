// The lane for jobs on models: order, events, cancelling, and errors that stay inside.
#include "experiments/model_lane.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include "engine/tensor/allocator.h"

namespace lathe::experiments {
namespace {

// Keeps events; whoever waits is woken by each.
class Events : public EventSink {
 public:
  void on_event(const Event& event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  // The first event of this kind and job; blocks until there is one.
  template <typename Kind>
  Kind await(const JobId& job) {
    std::unique_lock lock(mutex_);
    std::optional<Kind> found;
    changed_.wait(lock, [&] {
      for (const Event& event : events_) {
        const auto* one = std::get_if<Kind>(&event);
        if (one != nullptr && one->job == job) {
          found = *one;
        }
      }
      return found.has_value();
    });
    return *found;
  }
  std::vector<Event> all() {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
};

Result<ModelFacts> open(const OpenModel& job, const JobWatch&) {
  if (job.model == "missing") {
    return Error{ErrorKind::kData, "there is no model missing", "name another"};
  }
  ModelFacts facts;
  facts.model = job.model;
  return facts;
}

// Three words, or words until it is told to stop.
Result<Json> generate(const Generate& job, const JobWatch& watch) {
  for (int word = 0; job.prompt == "endless" || word < 3; ++word) {
    if (!watch.text("a ")) {
      return Error{ErrorKind::kInterrupted, "stopped", ""};
    }
  }
  return Json{{"tokens", 3}};
}

Result<Json> evaluate(const EvaluateModel&, const JobWatch&) {
  throw OutOfMemory(1 << 30, {}, 0);
}

Result<Json> write(const ExportModel& job, const JobWatch& watch) {
  watch.progress(0.5, "reading back");
  return Json{{"written to", job.out}};
}

Result<std::shared_ptr<const ModelSpectrum>> decompose(const DecomposeModel& job,
                                                       const JobWatch& watch) {
  if (!watch.progress(0.5, "calibrating layers.1")) {
    return Error{ErrorKind::kInterrupted, "stopped", ""};
  }
  ModelSpectrum spectrum;
  spectrum.model = job.model;
  spectrum.spec = job.spec;
  return std::make_shared<const ModelSpectrum>(spectrum);
}

Result<Json> compress(const CompressModel& job, const JobWatch&) {
  return Json{{"spec", job.specs.back()}, {"out", job.out}};
}

Result<std::shared_ptr<const QuantProbe>> probe_quant(const ProbeQuant& job,
                                                      const JobWatch& watch) {
  if (!watch.progress(0.5, "rounding layers.1.mlp.up.weight")) {
    return Error{ErrorKind::kInterrupted, "stopped", ""};
  }
  QuantProbe probe;
  probe.model = job.model;
  return std::make_shared<const QuantProbe>(probe);
}

ModelWork work() {
  return {.open = open,
          .evaluate = evaluate,
          .generate = generate,
          .write = write,
          .decompose = decompose,
          .probe_quant = probe_quant,
          .compress = compress};
}

TEST(ModelLane, AJobTellsItsStartItsTextAndItsResult) {
  Events events;
  ModelLane lane(work(), events);
  lane.send(OpenModel{"1", "tiny"});
  lane.send(Generate{"2", "tiny", "hello", Json::object()});
  EXPECT_EQ(events.await<ModelOpened>("1").facts.model, "tiny");
  EXPECT_EQ(events.await<JobFinished>("2").result["tokens"], 3);
  const std::vector<Event> all = events.all();
  ASSERT_EQ(all.size(), 7U);  // two of the first job, then start, three pieces and end
  EXPECT_EQ(std::get<JobStarted>(all[0]).title, "opening tiny");
  EXPECT_EQ(std::get<JobStarted>(all[2]).kind, JobKind::kGenerate);
  EXPECT_EQ(std::get<TextPiece>(all[3]).text, "a ");
}

TEST(ModelLane, ACancelledJobEndsAndTheNextOneRuns) {
  Events events;
  ModelLane lane(work(), events);
  lane.send(Generate{"1", "tiny", "endless", Json::object()});
  events.await<TextPiece>("1");
  lane.send(OpenModel{"2", "waits"});
  lane.send(OpenModel{"3", "tiny"});
  lane.cancel("2");
  lane.cancel("1");
  EXPECT_TRUE(events.await<JobFailed>("1").cancelled);
  EXPECT_TRUE(events.await<JobFailed>("2").cancelled);
  EXPECT_EQ(events.await<ModelOpened>("3").facts.model, "tiny");
}

TEST(ModelLane, ErrorsAndLackOfMemoryAreToldNotThrown) {
  Events events;
  ModelLane lane(work(), events);
  lane.send(OpenModel{"1", "missing"});
  lane.send(EvaluateModel{"2", "tiny", {{"task", "ppl"}, {"data", "/d/wiki.txt"}}});
  const JobFailed missing = events.await<JobFailed>("1");
  EXPECT_EQ(missing.error.kind, ErrorKind::kData);
  EXPECT_FALSE(missing.cancelled);
  EXPECT_EQ(events.await<JobStarted>("2").title, "ppl on wiki.txt");
  EXPECT_EQ(events.await<JobFailed>("2").error.kind, ErrorKind::kOutOfMemory);
}

TEST(ModelLane, AnExportTellsWhereItIs) {
  Events events;
  ModelLane lane(work(), events);
  lane.send(ExportModel{"1", "tiny", "gguf", "q8_0", "/d/tiny.gguf"});
  EXPECT_EQ(events.await<JobStarted>("1").title, "gguf q8_0 to tiny.gguf");
  EXPECT_EQ(events.await<JobProgress>("1").what, "reading back");
  EXPECT_EQ(events.await<JobFinished>("1").result["written to"], "/d/tiny.gguf");
}

TEST(ModelLane, ADecompositionEndsInASpectrumAndRanksAreTriedInIt) {
  Events events;
  ModelLane lane(work(), events);
  lane.send(DecomposeModel{"1", "tiny", {{"solver", "lord"}}});
  lane.send(CompressModel{"2", "tiny", {Json{{"budget", 0.8}}}, ""});
  lane.send(CompressModel{"3", "tiny", {Json{{"budget", 0.8}}}, "/d/tiny-factored"});
  EXPECT_EQ(events.await<JobStarted>("1").title, "decomposing tiny");
  EXPECT_EQ(events.await<JobProgress>("1").what, "calibrating layers.1");
  const auto spectrum = events.await<ModelDecomposed>("1").spectrum;
  ASSERT_NE(spectrum, nullptr);
  EXPECT_EQ(spectrum->spec["solver"], "lord");
  EXPECT_EQ(events.await<JobStarted>("2").title, "measuring the choice");
  EXPECT_EQ(events.await<JobFinished>("2").result["spec"]["budget"], 0.8);
  EXPECT_EQ(events.await<JobStarted>("3").title, "writing tiny-factored");
}

TEST(ModelLane, ARoundingEndsInWhatEachTypeLosesAndSeveralAreMeasured) {
  Events events;
  ModelLane lane(work(), events);
  lane.send(ProbeQuant{"1", "tiny"});
  lane.send(CompressModel{"2", "tiny", {Json{{"bits", 2}}, Json{{"bits", 3}}}, ""});
  EXPECT_EQ(events.await<JobStarted>("1").title, "rounding tiny");
  EXPECT_EQ(events.await<JobProgress>("1").what, "rounding layers.1.mlp.up.weight");
  EXPECT_EQ(events.await<QuantProbed>("1").probe->model, "tiny");
  EXPECT_EQ(events.await<JobStarted>("2").title, "measuring 2 choices");
  EXPECT_EQ(events.await<JobFinished>("2").result["spec"]["bits"], 3);
}

TEST(ModelLane, LeavingEndsWhatRuns) {
  Events events;
  {
    ModelLane lane(work(), events);
    lane.send(Generate{"1", "tiny", "endless", Json::object()});
    events.await<TextPiece>("1");
  }
  EXPECT_TRUE(events.await<JobFailed>("1").cancelled);
}

}  // namespace
}  // namespace lathe::experiments
