// See model_desk.h.
#include "app/model_desk.h"

#include <fmt/core.h>

#include "app/environment.h"
#include "app/open_model.h"
#include "engine/lm/chat.h"
#include "engine/lm/generator.h"
#include "engine/lm/installed_models.h"
#include "experiments/ids.h"
#include "experiments/predict.h"

namespace lathe::app {

using namespace experiments;

namespace {

// Tokens that a prompt and its continuation may have together; bounds the cache's memory.
constexpr std::int64_t kMostContext = 4096;

Result<EvalSpec> eval_spec(const Json& task) {
  EvalSpec spec;
  std::vector<std::string> errors;
  read_json(task, spec, "", errors);
  if (!errors.empty()) {
    return Error{ErrorKind::kUsage, errors.front(), "`lathe eval --help` tells what is legal"};
  }
  return spec;
}

Result<GenerateRequest> request_of(const Generate& job, const TextTokenizer& tokenizer) {
  GenerateRequest request;
  request.prompt = encode_prompt(tokenizer, job.prompt);
  request.max_tokens = job.sampling.value("max_tokens", std::int64_t{128});
  request.sampling = {.temperature = job.sampling.value("temperature", 0.0),
                      .top_k = job.sampling.value("top_k", std::int64_t{0}),
                      .top_p = job.sampling.value("top_p", 1.0),
                      .seed = job.sampling.value("seed", std::uint64_t{0})};
  request.stop_ids = stop_ids(tokenizer);
  if (request.prompt.empty()) {
    return Error{ErrorKind::kUsage, "the prompt is empty", "write something to go on from"};
  }
  return request;
}

}  // namespace

ModelWork ModelDesk::work() {
  return {.open = [this](const OpenModel& job, const JobWatch&) { return open(job.model); },
          .evaluate = [this](const EvaluateModel& job,
                             const JobWatch& watch) { return evaluate(job, watch); },
          .generate = [this](const Generate& job,
                             const JobWatch& watch) { return generate(job, watch); }};
}

Result<ModelDesk::Opened*> ModelDesk::opened(const std::string& model) {
  if (const auto known = models_.find(model); known != models_.end()) {
    return &known->second;
  }
  const std::filesystem::path path = find_model(model);
  if (path.empty()) {
    return Error{ErrorKind::kData, "there is no model file at " + model,
                 "name a .gguf file, a folder with config.json or an installed model"};
  }
  const auto device = resolve_device(options_.device);
  if (!device) {
    return device.error();
  }
  auto backend = make_backend(*device, options_.threads);
  if (!backend) {
    return backend.error();
  }
  auto language_model = LanguageModel::open(**backend, path, WeightForm::kAsStored);
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
  facts.name = language_model.file().path().stem().string();
  facts.format = identity.format;
  facts.architecture = identity.architecture;
  facts.tokenizer =
      language_model.tokenizer() == nullptr ? "" : language_model.tokenizer()->description();
  facts.parameters = identity.parameters;
  facts.stored_bytes = identity.stored_bytes;
  facts.context = language_model.config().context;
  facts.bits_per_weight = identity.bits_per_weight;
  facts.open_secs = identity.open_secs;
  return facts;
}

Result<Json> ModelDesk::evaluate(const EvaluateModel& job, const JobWatch& watch) {
  const auto spec = eval_spec(job.task);
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
  ports.open = [&](const std::string& model) { return open_model(**catalog, model, options_); };
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
  const auto request = request_of(job, *model.tokenizer());
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

}  // namespace lathe::app
