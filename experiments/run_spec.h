// One run completely described: what the command line, the JSON files, the sliders and the store
// all share. The canonical JSON of a spec is its identity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend/product_precision.h"
#include "engine/base/json.h"
#include "engine/base/params.h"
#include "engine/base/result.h"
#include "engine/train/train_spec.h"
#include "experiments/task_config.h"

namespace lathe::experiments {

struct RunSpec {
  std::string name;             // label; empty: made from the varying axes
  std::string device = "auto";  // auto | cpu | cpu_ref | cuda:N
  std::int64_t threads = 0;     // 0: all
  ProductPrecision products = ProductPrecision::kF32;
  TrainSpec train;
  TaskConfig eval;
};

// Every parameter of a spec with its dotted path, the registered methods' under "method.<id>.".
const std::vector<ParamInfo>& run_spec_params();

// By full or former path; nullptr if there is none.
const ParamInfo* find_param(std::string_view path);

// Reads a spec over the defaults; all errors of the document in one Error (kUsage), one per line.
Result<RunSpec> run_spec_from_json(const Json& document);

// The canonical document: all fields, fixed order, method parameters complete.
Json to_json(const RunSpec& spec);

// SHA-256 of the canonical document without name: runs of equal hash are the same experiment.
// `without_seed` also leaves out the seed: equal groups are replicates.
std::string spec_hash(const RunSpec& spec, bool without_seed = false);

// "key=value" overrides onto a document: full path or unique short name; value parsed by the
// parameter's type. kUsage names the nearest key or the clashing ones.
Result<void> apply_override(std::string_view assignment, Json& document);

// The full path of a path, a unique short name or a former name.
Result<std::string> resolve_param(std::string_view key);

// Parses `text` as a value of the parameter, checking type and range.
Result<Json> parse_param_value(const ParamInfo& param, std::string_view text);

// Reading and writing a document by dotted path. Null if absent.
Json get_path(const Json& document, std::string_view path);
void set_path(Json& document, std::string_view path, Json value);

// "model.dim: 128 -> 256" for each parameter that differs, in canonical order.
struct SpecDifference {
  std::string path;
  std::string a;
  std::string b;
};
std::vector<SpecDifference> diff_specs(const Json& a, const Json& b);

}  // namespace lathe::experiments
