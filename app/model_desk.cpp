// See model_desk.h.
#include "app/model_desk.h"

#include <fmt/core.h>

#include "app/environment.h"
#include "app/open_language_model.h"
#include "app/open_model.h"
#include "app/weights_export.h"
#include "engine/base/format.h"
#include "engine/lm/chat.h"
#include "engine/lm/generator.h"
#include "experiments/device.h"
#include "experiments/ids.h"
#include "experiments/predict.h"
#include "experiments/settings.h"

namespace lathe::app {

using namespace experiments;

namespace {

// Tokens that a prompt and its continuation may have together; bounds the cache's memory.
constexpr std::int64_t kMostContext = 4096;

// A checkpoint lies in the folder of its run: "RUN/step-120".
std::string name_of(const ModelFile& file) {
  const std::string name = file.path().stem().string();
  return file.format() == ModelFormat::kCheckpoint
             ? fmt::format("{}-{}", file.path().parent_path().filename().string(), name)
             : name;
}

Result<GenerateRequest> request_of(const Generate& job, const LanguageModel& model) {
  auto prompt = prompt_ids(model, job.prompt, {.chat = job.chat, .system = {}});
  if (!prompt) {
    return prompt.error();
  }
  if (prompt->empty()) {
    return Error{ErrorKind::kUsage, "the prompt is empty", "write something to go on from"};
  }
  GenerateRequest request;
  request.prompt = std::move(*prompt);
  request.max_tokens = job.sampling.value("max_tokens", std::int64_t{128});
  request.stop_ids = stop_ids(*model.tokenizer());
  request.sampling = {.temperature = job.sampling.value("temperature", 0.0),
                      .top_k = job.sampling.value("top_k", std::int64_t{0}),
                      .top_p = job.sampling.value("top_p", 1.0),
                      .seed = job.sampling.value("seed", std::uint64_t{0})};
  return request;
}

}  // namespace

ModelWork ModelDesk::work() {
  return {
      .open = [this](const OpenModel& job, const JobWatch&) { return open(job.model); },
      .evaluate = [this](const EvaluateModel& job,
                         const JobWatch& watch) { return evaluate(job, watch); },
      .generate = [this](const Generate& job,
                         const JobWatch& watch) { return generate(job, watch); },
      .write = [this](const ExportModel& job, const JobWatch& watch) { return write(job, watch); },
      .decompose = [this](const DecomposeModel& job,
                          const JobWatch& watch) { return compress_.decompose(job, watch); },
      .probe_quant = [this](const ProbeQuant& job,
                            const JobWatch& watch) { return compress_.probe_quant(job, watch); },
      .compress = [this](const CompressModel& job,
                         const JobWatch& watch) { return compress_.compress(job, watch); }};
}

Result<ModelDesk::Opened*> ModelDesk::opened(const std::string& model) {
  if (const auto known = models_.find(model); known != models_.end()) {
    return &known->second;
  }
  const auto device = resolve_device(options_.device);
  if (!device) {
    return device.error();
  }
  auto backend = make_backend(*device, options_.threads);
  if (!backend) {
    return backend.error();
  }
  auto language_model = open_language_model(**backend, model, options_);
  if (!language_model) {
    return language_model.error();
  }
  Opened kept{std::move(*backend), std::make_unique<LanguageModel>(std::move(*language_model))};
  return &models_.emplace(model, std::move(kept)).first->second;
}

Result<ModelFacts> ModelDesk::open(const std::string& model) {
  const auto known = opened(model);
  if (!known) {
    return known.error();
  }
  const LanguageModel& language_model = *(*known)->model;
  const ModelIdentity& identity = language_model.identity();
  ModelFacts facts;
  facts.model = model;
  facts.path = language_model.file().path().string();
  facts.name = name_of(language_model.file());
  facts.format = identity.format;
  facts.architecture = identity.architecture;
  facts.tokenizer =
      language_model.tokenizer() == nullptr ? "" : language_model.tokenizer()->description();
  facts.parameters = identity.parameters;
  facts.stored_bytes = identity.stored_bytes;
  facts.context = language_model.config().context;
  facts.bits_per_weight = identity.bits_per_weight;
  facts.open_secs = identity.open_secs;
  facts.is_checkpoint = language_model.file().format() == ModelFormat::kCheckpoint;
  facts.has_chat_template = !language_model.chat_template().empty();
  return facts;
}

Result<Json> ModelDesk::evaluate(const EvaluateModel& job, const JobWatch& watch) {
  const auto spec = from_document<EvalSpec>(job.task);
  if (!spec) {
    return spec.error();
  }
  const auto catalog = storage::open_catalog(store_);
  if (!catalog) {
    return catalog.error();
  }
  EvalPorts ports;
  ports.sink = &sink_;
  ports.environment = environment();
  ports.open = [&](const std::string& model) {
    return open_model(**catalog, model, options_, spec->int8());
  };
  ports.progress = watch.progress;
  const auto outcome = run_eval({.run = new_id(), .model = job.model, .spec = *spec}, ports);
  if (!outcome) {
    return outcome.error();
  }
  Json result = {{"rule", (*outcome)["rule"]}};
  for (const auto& [metric, value] : (*outcome)["metrics"].items()) {
    result[metric] = value;
  }
  result["recorded as run"] = (*outcome)["run"];
  return result;
}

Result<Json> ModelDesk::generate(const Generate& job, const JobWatch& watch) {
  const auto known = opened(job.model);
  if (!known) {
    return known.error();
  }
  LanguageModel& model = *(*known)->model;
  if (model.tokenizer() == nullptr) {
    return Error{ErrorKind::kData, job.model + " has no tokenizer: " + model.tokenizer_problem(),
                 "put the model's tokenizer.json beside it"};
  }
  const auto request = request_of(job, model);
  if (!request) {
    return request.error();
  }
  const std::int64_t trained = model.config().context > 0 ? model.config().context : kMostContext;
  const std::int64_t wanted =
      static_cast<std::int64_t>(request->prompt.size()) + request->max_tokens;
  Generator generator(*(*known)->backend, model.transformer(), model.config(),
                      std::min({trained, kMostContext, wanted}));
  TextStream stream(*model.tokenizer());
  std::int64_t drawn = 0;
  const auto generated = generator.generate(*request, [&](std::int32_t id) {
    ++drawn;
    const bool goes_on =
        watch.progress(static_cast<double>(drawn) / static_cast<double>(request->max_tokens),
                       fmt::format("{} tokens", drawn));
    return watch.text(stream.push(id)) && goes_on;
  });
  if (!generated) {
    return generated.error();
  }
  if (generated->reason == StopReason::kCancelled) {
    return Error{ErrorKind::kInterrupted, "stopped", ""};
  }
  watch.text(stream.finish());
  return Json{{"tokens", generated->ids.size()},
              {"ended by", stop_reason_name(generated->reason)},
              {"decode_tokens_per_s", generated->decode_tokens_per_second()},
              {"prefill_tokens_per_s", generated->prefill_tokens_per_second()}};
}

Result<Json> ModelDesk::write(const ExportModel& job, const JobWatch& watch) {
  const WeightsExport wanted{
      .model = job.model, .format = job.format, .dtype = job.dtype, .out = job.out};
  const auto report = export_weights(options_, wanted, watch.progress);
  if (!report) {
    return report.error();
  }
  return Json{{"written to", job.out},
              {"weights", bytes_text(report->bytes)},
              {"read back, logits differ by", report->max_difference},
              {"KL to the model, nats", report->mean_kl},
              {"same first choice", report->argmax_agreement},
              {"tokenizer", report->tokenizer}};
}

}  // namespace lathe::app
