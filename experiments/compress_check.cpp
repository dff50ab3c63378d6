// See compress_check.h.
#include "experiments/compress_check.h"

#include <fmt/core.h>

#include <filesystem>

#include "engine/base/describe.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

Result<void> check(const CompressSpec& spec) {
  if (spec.quant.type != QuantType::kNone) {
    if (const auto options = store_options(spec); !options) {
      return options.error();
    }
  } else if (!spec.decompose) {
    return Error{ErrorKind::kUsage, "decompose=false and quant.type=none leave the model as it is",
                 "choose a quant.type, or leave decompose out"};
  }
  if (!spec.decompose && spec.max_rise > 0) {
    return Error{ErrorKind::kUsage, "max_rise looks for ranks, and decompose=false wants none",
                 "leave one of them out"};
  }
  if (!spec.decompose) {
    return {};
  }
  if (const auto options = rank_options(spec); !options) {
    return options.error();
  }
  if (spec.sequential && spec.solver != LordSolver::kAffine) {
    return Error{ErrorKind::kUsage,
                 fmt::format("sequential fits are affine, and solver={} is asked for",
                             enum_name(spec.solver)),
                 "leave one of them out"};
  }
  return {};
}

// What makes no sense, before anything is read.

}  // namespace

std::string compress_title(const CompressSpec& spec, const std::string& model) {
  std::string text = model;
  if (spec.decompose) {
    const auto options = rank_options(spec);
    text +=
        fmt::format(" {}{} {}={:g}", enum_name(spec.solver), spec.sequential ? " sequential" : "",
                    enum_name(options->rule), options->value);
  }
  if (spec.quant.type != QuantType::kNone) {
    text.append(" ").append(stored_text(spec.quant));
  }
  return text;
}

Result<void> check(const CompressRequest& request) {
  for (const CompressSpec& spec : request.points) {
    if (const Result<void> sensible = check(spec); !sensible) {
      return sensible;
    }
  }
  const CompressSpec& first = request.points.front();
  if (first.quant.loftq_rank > 0 && !request.out.empty() &&
      request.format != ModelFormat::kHuggingFace) {
    return Error{ErrorKind::kUsage, "adapters of quant.loftq_rank lie in a folder, not in a file",
                 "write a folder (--format hf), or leave quant.loftq_rank out"};
  }
  std::error_code failed;
  if (!request.out.empty() && request.points.size() > 1) {
    return Error{ErrorKind::kUsage,
                 fmt::format("{} models are asked for, and one place", request.points.size()),
                 "give each list one value, or leave --out"};
  }
  if (!request.out.empty() && fs::exists(request.out, failed)) {
    return Error{ErrorKind::kUsage, request.out + " exists already", "name a folder that does not"};
  }
  return {};
}

}  // namespace lathe::experiments
