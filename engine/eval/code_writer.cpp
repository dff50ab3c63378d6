// Generation ends as soon as a stop word shows, not at the last token.
#include "engine/eval/code_writer.h"

#include "engine/lm/generator.h"

namespace lathe {
namespace {

Result<std::string> complete(const EvalModel& model, Generator& generator,
                             const GenerateRequest& request) {
  std::vector<std::int32_t> written;
  const auto result = generator.generate(request, [&](std::int32_t id) {
    written.push_back(id);
    const std::string text = model.decode(written);
    return cut_completion(text).size() == text.size();
  });
  if (!result) {
    return result.error();
  }
  return cut_completion(model.decode(result->ids));
}

}  // namespace

Result<std::vector<CodeCompletion>> write_completions(const EvalModel& model,
                                                      std::span<const CodeProblem> problems,
                                                      const WritingSettings& settings,
                                                      const EvalProgress& progress) {
  Generator generator(*model.backend, *model.transformer, model.config, model.context);
  GenerateRequest request{
      .prompt = {}, .max_tokens = settings.max_tokens, .stop_ids = model.end_ids};
  request.sampling.temperature = settings.temperature;
  request.sampling.top_p = settings.top_p;
  std::vector<CodeCompletion> completions;
  const std::int64_t total = settings.samples * static_cast<std::int64_t>(problems.size());
  for (const CodeProblem& problem : problems) {
    request.prompt = model.encode(problem.prompt, true);
    for (std::int64_t i = 0; i < settings.samples; ++i) {
      const auto done = static_cast<std::int64_t>(completions.size());
      request.sampling.seed = static_cast<std::uint64_t>(settings.seed * total + done);
      auto text = complete(model, generator, request);
      if (!text) {
        return Error{text.error().kind, problem.task_id + ": " + text.error().message,
                     text.error().remedy};
      }
      completions.push_back({.task_id = problem.task_id, .text = std::move(*text)});
      if (progress && !progress(done + 1, total)) {
        return Error{ErrorKind::kInterrupted, "the evaluation was stopped", ""};
      }
    }
  }
  return completions;
}

}  // namespace lathe
