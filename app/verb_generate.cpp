// lathe generate MODEL --prompt TEXT: lets a model go on with a text, told as it comes.
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "app/open_language_model.h"
#include "app/signal_watch.h"
#include "app/verb_list.h"
#include "engine/backend/failure.h"
#include "engine/lm/chat.h"
#include "engine/lm/generator.h"
#include "engine/lm/language_model.h"
#include "experiments/device.h"
#include "experiments/predict.h"

namespace lathe::app {
namespace {

// The context where a model names none.
constexpr std::int64_t kUsualContext = 4096;

struct GenerateOptions {
  std::string model;
  std::string prompt;
  bool chat = false;
  std::string system;
  std::int64_t max_tokens = 128;
  std::int64_t context = 0;
  bool int8_products = false;
  double int8_threshold = 6.0;
  SamplingConfig sampling{.temperature = 0.8, .top_k = 40, .top_p = 0.95};
};

// The positions to keep memory for: no more than can be filled.
Result<std::int64_t> context_of(const LanguageModel& model, const GenerateOptions& chosen,
                                std::int64_t prompt) {
  const std::int64_t trained = model.config().context;
  const std::int64_t limit = trained > 0 ? trained : kUsualContext;
  if (trained > 0 && chosen.context > trained) {
    return Error{ErrorKind::kUsage,
                 fmt::format("--context {} is more than the {} positions that {} was trained for",
                             chosen.context, trained, chosen.model),
                 fmt::format("choose at most {}", trained)};
  }
  const std::int64_t wanted = chosen.context > 0 ? chosen.context : limit;
  return std::max<std::int64_t>(1, std::min(wanted, prompt + chosen.max_tokens));
}

Json result_json(const GenerateResult& result, const LanguageModel& model, const std::string& text,
                 const LedgerSnapshot& memory) {
  return {{"text", text},
          {"ids", result.ids},
          {"stopped_by", stop_reason_name(result.reason)},
          {"prompt_tokens", result.prompt_tokens},
          {"prefill_tokens_per_sec", result.prefill_tokens_per_second()},
          {"decode_tokens_per_sec", result.decode_tokens_per_second()},
          {"mapped_bytes", memory.mapped_bytes},
          {"owned_bytes", memory.owned_bytes()},
          {"model", {{"format", model.identity().format}, {"hash", model.identity().hash}}}};
}

void print_summary(const GenerateResult& result, const LedgerSnapshot& memory) {
  fmt::print(stderr,
             "{} tokens, ended by {}; prefill {:.1f} tok/s ({} tokens), decode {:.1f} tok/s; "
             "{:.0f} MB mapped, {:.0f} MB owned\n",
             result.ids.size(), stop_reason_name(result.reason), result.prefill_tokens_per_second(),
             result.prompt_tokens, result.decode_tokens_per_second(),
             double(memory.mapped_bytes) * 1e-6, double(memory.owned_bytes()) * 1e-6);
}

Result<int> generate_text(const GlobalOptions& options, const GenerateOptions& chosen,
                          Backend& backend, LanguageModel& model) {
  const TextTokenizer& tokenizer = *model.tokenizer();
  auto prompt = prompt_ids(model, chosen.prompt, {.chat = chosen.chat, .system = chosen.system});
  if (!prompt) {
    return prompt.error();
  }
  const GenerateRequest request{.prompt = std::move(*prompt),
                                .max_tokens = chosen.max_tokens,
                                .stop_ids = stop_ids(tokenizer),
                                .sampling = chosen.sampling};
  const auto context = context_of(model, chosen, static_cast<std::int64_t>(request.prompt.size()));
  if (!context) {
    return context.error();
  }
  std::atomic<bool> cancelled = false;
  const SignalWatch signals([&](int) { cancelled = true; });
  Generator generator(backend, model.transformer(), model.config(), *context);
  TextStream stream(tokenizer);
  std::string text;
  const auto tell = [&](const std::string& piece) {
    text += piece;
    if (!options.json) {
      std::fwrite(piece.data(), 1, piece.size(), stdout);
      std::fflush(stdout);
    }
  };
  const auto result = generator.generate(request, [&](std::int32_t id) {
    tell(stream.push(id));
    return !cancelled;
  });
  tell(stream.finish());
  if (!options.json) {
    fmt::print("\n");
  }
  if (!result) {
    return result.error();
  }
  const LedgerSnapshot& memory = backend.ledger().peak();
  if (options.json) {
    print_json(Json{{"event", "result"}, {"generate", result_json(*result, model, text, memory)}});
  } else if (!options.quiet) {
    print_summary(*result, memory);
  }
  return cancelled ? signals.exit_code() : 0;
}

Result<int> generate(const GlobalOptions& options, const GenerateOptions& chosen) {
  const std::string wrong = sampling_error(chosen.sampling);
  if (!wrong.empty()) {
    return Error{ErrorKind::kUsage, wrong, ""};
  }
  const auto device = experiments::resolve_device(options.device);
  if (!device) {
    return device.error();
  }
  const auto backend = make_backend(*device, options.threads);
  if (!backend) {
    return backend.error();
  }
  try {
    auto model = open_language_model(
        **backend, chosen.model, options,
        chosen.int8_products ? std::optional(chosen.int8_threshold) : std::nullopt);
    if (!model) {
      return model.error();
    }
    if (model->tokenizer() == nullptr) {
      return Error{ErrorKind::kData,
                   chosen.model + " has no tokenizer: " + model->tokenizer_problem(),
                   "put the model's tokenizer.json beside it"};
    }
    return generate_text(options, chosen, **backend, *model);
  } catch (const std::exception& failure) {
    return error_of(failure, "ask for a shorter --context");
  }
}

}  // namespace

void add_generate(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<GenerateOptions>();
  CLI::App* verb = add_verb(root, cli, "generate", "Let a model go on with a text", [&cli, chosen] {
    const auto code = generate(cli.options, *chosen);
    return code ? *code : report_error(code.error(), cli.options);
  });
  verb->add_option("model", chosen->model,
                   "a .gguf file, a Hugging Face or adapter's folder, an installed model, or a run")
      ->required();
  verb->add_option("--prompt", chosen->prompt, "the text that the model goes on with")->required();
  CLI::Option* chat = verb->add_flag(
      "--chat", chosen->chat, "put the prompt as a user's words into the model's chat template");
  verb->add_option("--system", chosen->system, "what the template's system says; with --chat")
      ->needs(chat);
  verb->add_option("--max-tokens", chosen->max_tokens, "tokens to generate at most")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  verb->add_option("--context", chosen->context, "positions at most; 0: the model's own")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  CLI::Option* int8 = verb->add_flag(
      "--int8-products", chosen->int8_products,
      "multiply matrices of int8_row in integers, activations rounded to 8 bits (LLM.int8)");
  verb->add_option("--int8-threshold", chosen->int8_threshold,
                   "columns of activations that reach it are multiplied in floats; 0: none")
      ->needs(int8)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  SamplingConfig& sampling = chosen->sampling;
  verb->add_option("--temperature", sampling.temperature, "0: always the most likely token")
      ->capture_default_str();
  verb->add_option("--top-k", sampling.top_k, "draw from the k most likely tokens; 0: from all")
      ->capture_default_str();
  verb->add_option("--top-p", sampling.top_p,
                   "draw from the fewest tokens whose chances reach p; 1: from all")
      ->capture_default_str();
  verb->add_option("--seed", sampling.seed, "the same seed draws the same text")
      ->capture_default_str();
}

}  // namespace lathe::app
