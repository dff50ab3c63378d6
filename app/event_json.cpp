// See event_json.h: one overload per kind of event.
#include "app/event_json.h"

namespace lathe::app {
namespace {

using namespace experiments;

Json of(const SweepCreated& event) {
  Json points = Json::array();
  for (const PlannedPoint& point : event.points) {
    points.push_back({{"run", point.run},
                      {"label", point.label},
                      {"predicted_peak_bytes", point.predicted_peak_bytes},
                      {"predicted_params", point.predicted_params},
                      {"excluded_because", point.excluded_because}});
  }
  return {
      {"event", "sweep_created"}, {"sweep", event.sweep}, {"name", event.name}, {"points", points}};
}
Json of(const RunCreated& event) {
  return {{"event", "run_created"}, {"run", event.run},
          {"name", event.name},     {"sweep", event.sweep},
          {"kind", event.kind},     {"predicted_peak_bytes", event.predicted_peak_bytes},
          {"spec", event.spec}};
}
Json of(const RunStarted& event) {
  return {{"event", "run_started"},           {"run", event.run},
          {"attempt", event.attempt},         {"from_step", event.from_step},
          {"total_steps", event.total_steps}, {"environment", event.environment}};
}
Json of(const MetricBatch& event) {
  Json metrics = Json::object();
  for (const MetricPoint& point : event.points) {
    metrics[point.metric] = point.value;
  }
  const std::int64_t step = event.points.empty() ? 0 : event.points.front().step;
  return {{"event", "metrics"}, {"run", event.run}, {"step", step}, {"metrics", metrics}};
}
Json of(const CheckpointSaved& event) {
  return {{"event", "checkpoint"},
          {"run", event.run},
          {"step", event.step},
          {"path", event.path},
          {"bytes", event.bytes}};
}
Json of(const CheckpointRemoved& event) {
  return {{"event", "checkpoint_removed"}, {"run", event.run}, {"step", event.step}};
}
Json of(const DigestTaken& event) {
  return {{"event", "digest"}, {"run", event.run}, {"step", event.step}, {"digest", event.digest}};
}
Json of(const LiveChanged& event) {
  return {{"event", "live_changed"},
          {"run", event.run},
          {"step", event.step},
          {"param", event.param},
          {"value", event.value}};
}
Json of(const RunPaused& event) {
  return {{"event", "run_paused"}, {"run", event.run}, {"step", event.step}};
}
Json of(const RunResumed& event) {
  return {{"event", "run_resumed"}, {"run", event.run}, {"step", event.step}};
}
Json of(const RunFinished& event) {
  return {{"event", "run_finished"},
          {"run", event.run},
          {"state", kRunStateNames[static_cast<std::size_t>(event.state)]},
          {"step", event.step}};
}
Json of(const RunFailed& event) {
  return {{"event", "run_failed"},
          {"run", event.run},
          {"step", event.step},
          {"exit_code", exit_code(event.error.kind)},
          {"message", event.error.message},
          {"remedy", event.error.remedy}};
}
Json of(const SweepFinished& event) {
  return {{"event", "sweep_finished"}, {"sweep", event.sweep},       {"done", event.done},
          {"failed", event.failed},    {"excluded", event.excluded}, {"stopped", event.stopped}};
}
Json of(const ReplayVerdict& event) {
  return {{"event", "replay_verdict"},
          {"run", event.original},
          {"replay", event.replay},
          {"verdict", event.verdict},
          {"first_difference", event.first_difference},
          {"detail", event.detail}};
}
Json of(const LogLine& event) {
  constexpr std::array<std::string_view, 3> kLevels{"info", "warning", "error"};
  return {{"event", "log"},
          {"run", event.run},
          {"level", kLevels[static_cast<std::size_t>(event.level)]},
          {"text", event.text}};
}
Json of(const Preparing& event) {
  return {{"event", "preparing"}, {"run", event.run}, {"share", event.share}, {"what", event.what}};
}
// Memory is too much for lines; work on models has verbs of its own.
template <typename Other>
std::nullopt_t of(const Other&) {
  return std::nullopt;
}

}  // namespace

std::optional<Json> event_json(const Event& event) {
  return std::visit([](const auto& concrete) -> std::optional<Json> { return of(concrete); },
                    event);
}

}  // namespace lathe::app
