// The protocol of work on models that exist: open, measure, let them speak, write them for other
// programs. Beside training: a lane of its own carries it out, one job after another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "experiments/quant_probe.h"
#include "experiments/spectrum.h"

namespace lathe::experiments {

// Made by whoever asks, as a run's is (ids.h).
using JobId = std::string;

enum class JobKind : std::uint8_t {
  kOpen,
  kEvaluate,
  kGenerate,
  kExport,
  kDecompose,
  kProbeQuant,
  kCompress
};

// What a file says of the model in it.
struct ModelFacts {
  std::string model;         // as it was asked for: a path, a name, a run's id
  std::string path;          // what that stands for
  std::string name;          // for people
  std::string format;        // "gguf q4_1", "hf f16", "checkpoint f32"
  std::string architecture;  // "llama, 30 layers, width 576, 9 heads (3 kv)"
  std::string tokenizer;     // "byte-level BPE, 49 152 tokens"; empty: none
  std::int64_t parameters = 0;
  std::int64_t stored_bytes = 0;
  std::int64_t context = 0;  // tokens it was trained for; 0: unknown
  double bits_per_weight = 0;
  double open_secs = 0;
  bool has_chat_template = false;
  bool is_checkpoint = false;  // what a run left, no file that other programs know
};

struct ModelOpened {
  JobId job;
  ModelFacts facts;
};
// Ends a DecomposeModel.
struct ModelDecomposed {
  JobId job;
  std::shared_ptr<const ModelSpectrum> spectrum;  // never null
};
// Ends a ProbeQuant.
struct QuantProbed {
  JobId job;
  std::shared_ptr<const QuantProbe> probe;  // never null
};
struct JobStarted {
  JobId job;
  JobKind kind = JobKind::kOpen;
  std::string model;
  std::string title;  // "perplexity of wiki.txt"
};
struct JobProgress {
  JobId job;
  double share = 0;
  std::string what;  // "window 12 of 40"
};
// Whole characters of generated text, in order.
struct TextPiece {
  JobId job;
  std::string text;
};
// `result`: of an evaluation its metrics, of a generation its tokens and speeds.
struct JobFinished {
  JobId job;
  Json result;
};
struct JobFailed {
  JobId job;
  Error error;
  bool cancelled = false;
};

struct OpenModel {
  JobId job;
  std::string model;
};
// `task`: what `lathe eval` takes, as JSON: {"task": "ppl", "data": "/x.txt", "limit": 100}.
struct EvaluateModel {
  JobId job;
  std::string model;
  Json task;
};
struct Generate {
  JobId job;
  std::string model;
  std::string prompt;
  Json sampling = Json::object();  // temperature, top_k, top_p, seed, max_tokens
  bool chat = false;               // the prompt is a user's words in the model's chat template
};
// As `lathe export MODEL --format FORMAT --dtype DTYPE --out OUT`.
struct ExportModel {
  JobId job;
  std::string model;
  std::string format;
  std::string dtype;
  std::string out;
};
// Looks at the model once, so that ranks can be chosen. `spec`: a CompressSpec document; what says
// how ranks are chosen is left to the jobs that follow.
struct DecomposeModel {
  JobId job;
  std::string model;
  Json spec;
};
// Rounds each layer to every type of few bits, so that one can be chosen.
struct ProbeQuant {
  JobId job;
  std::string model;
};
// As `lathe compress MODEL ... -o OUT`, in the decomposition of the last DecomposeModel where it
// serves these specs too: a run of kind "compress" for each. Its result is that of the last, with
// the run's id and metrics.
struct CompressModel {
  JobId job;
  std::string model;
  std::vector<Json> specs;  // at least one; one where it is written
  std::string out;          // empty: nothing is written
};
struct CancelJob {
  JobId job;
};

}  // namespace lathe::experiments
