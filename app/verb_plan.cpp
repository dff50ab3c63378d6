// lathe plan CONFIG: one step on the meta back end; bytes by category and layer, peak, parameters,
// operations, stored size. Nothing is computed and no memory is taken.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "app/cli.h"
#include "app/config_source.h"
#include "app/table.h"
#include "app/verb_list.h"
#include "engine/base/atomic_file.h"
#include "engine/base/format.h"
#include "engine/train/trainer.h"
#include "experiments/memory_trace.h"
#include "experiments/plan_profile.h"
#include "experiments/predict.h"

namespace lathe::app {
namespace {

struct PlanOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::string trace;  // file; empty: none
};

std::string category_name(Category category) {
  return std::string(kCategoryNames[static_cast<std::size_t>(category)]);
}

void print_plan(const PlanReport& plan) {
  fmt::print("parameters   {}", count_text(static_cast<double>(plan.parameters)));
  if (plan.parameters != plan.dense_parameters) {
    fmt::print("  ({:.2f} of the dense model's {})",
               static_cast<double>(plan.parameters) / static_cast<double>(plan.dense_parameters),
               count_text(static_cast<double>(plan.dense_parameters)));
  }
  fmt::print("\nstored       {}, at 8 bits {}\n", bytes_text(plan.stored_bytes),
             bytes_text(plan.parameters));
  fmt::print("operations   {}FLOP a step\npeak         {} ({} bytes), during {}\n\n",
             count_text(plan.flops_per_step) + " ", bytes_text(plan.peak.live_bytes),
             plan.peak.live_bytes, plan.peak_phase);
  if (plan.paper_input_bytes > 0) {
    fmt::print(
        "inputs       {} as VeLoRA's paper counts them: in 16 bits, each trained layer's its "
        "own\n\n",
        bytes_text(plan.paper_input_bytes));
  }
  std::vector<std::vector<std::string>> rows;
  for (int i = 0; i < kCategoryCount; ++i) {
    const std::int64_t bytes = plan.peak.by_category[static_cast<std::size_t>(i)];
    if (bytes > 0) {
      rows.push_back(
          {category_name(static_cast<Category>(i)), std::to_string(bytes), bytes_text(bytes)});
    }
  }
  fmt::print("{}\n", table_text({{"at the peak"}, {"bytes", true}, {"", true}}, rows));
}

// Rows are layers; columns are the categories that occur at the peak.
void print_layers(const std::vector<LayerBytes>& layers) {
  std::map<Category, std::size_t> column_of;
  for (const LayerBytes& entry : layers) {
    column_of.emplace(entry.category, 0);
  }
  std::vector<Column> columns{{"layer"}};
  for (auto& [category, index] : column_of) {
    index = columns.size();
    columns.push_back({category_name(category), true});
  }
  std::vector<std::vector<std::string>> rows;
  for (const LayerBytes& entry : layers) {
    const std::string layer = entry.layer.empty() ? "(whole model)" : entry.layer;
    if (rows.empty() || rows.back()[0] != layer) {
      rows.emplace_back(columns.size(), "");
      rows.back()[0] = layer;
    }
    rows.back()[column_of[entry.category]] = bytes_text(entry.bytes);
  }
  fmt::print("{}", table_text(columns, rows));
}

Json plan_json(const PlanReport& plan) {
  Json by_category = Json::object();
  for (int i = 0; i < kCategoryCount; ++i) {
    by_category[category_name(static_cast<Category>(i))] =
        plan.peak.by_category[static_cast<std::size_t>(i)];
  }
  Json layers = Json::array();
  for (const LayerBytes& entry : plan.peak_by_layer) {
    layers.push_back({{"layer", entry.layer},
                      {"category", category_name(entry.category)},
                      {"bytes", entry.bytes}});
  }
  return {{"parameters", plan.parameters},
          {"dense_parameters", plan.dense_parameters},
          {"stored_bytes", plan.stored_bytes},
          {"flops_per_step", plan.flops_per_step},
          {"peak_bytes", plan.peak.live_bytes},
          {"peak_phase", plan.peak_phase},
          {"paper_input_bytes", plan.paper_input_bytes},
          {"peak_by_category", by_category},
          {"peak_by_layer", layers},
          {"warnings", plan.warnings}};
}

Result<void> write_trace(const experiments::RunSpec& spec, const GlobalOptions& options,
                         const std::string& file) {
  const auto planned = experiments::plan_profile(spec, options.threads);
  return planned ? write_file_atomically(file, experiments::memory_trace(planned->profile))
                 : planned.error();
}

int run_plan(const GlobalOptions& options, const PlanOptions& chosen) {
  const auto spec = load_run_spec(chosen.config, chosen.overrides);
  if (!spec) {
    return report_error(spec.error(), options);
  }
  const auto plan = experiments::plan_run(*spec, options.threads);
  if (!plan) {
    return report_error(plan.error(), options);
  }
  if (!chosen.trace.empty()) {
    if (const Result<void> written = write_trace(*spec, options, chosen.trace); !written) {
      return report_error(written.error(), options);
    }
  }
  for (const std::string& warning : plan->warnings) {
    report_warning(warning, options);
  }
  if (options.json) {
    print_json(plan_json(*plan), 2);
  } else {
    print_plan(*plan);
    print_layers(plan->peak_by_layer);
  }
  return 0;
}

}  // namespace

void add_plan(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<PlanOptions>();
  CLI::App* verb =
      add_verb(root, cli, "plan", "Bytes by category and layer, peak, operations; nothing is run",
               [&cli, chosen] { return run_plan(cli.options, *chosen); });
  verb->add_option("config", chosen->config, "a JSON file or a config's name")->required();
  verb->add_option("overrides", chosen->overrides, "key=value, e.g. rank=16 train.seq_len=512");
  verb->add_option("--trace", chosen->trace,
                   "also write the second step, tensor by tensor, to this file for Perfetto and "
                   "Chrome's trace viewer");
}

}  // namespace lathe::app
