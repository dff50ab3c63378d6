// See step_records.h.
#include "engine/train/step_records.h"

#include <cmath>
#include <span>
#include <utility>

#include "engine/backend/sums.h"

namespace lathe {
namespace {

std::vector<std::string> names_of(const std::vector<Parameter*>& parameters) {
  std::vector<std::string> names;
  for (const Parameter* parameter : parameters) {
    names.push_back(parameter->name);
  }
  return names;
}

}  // namespace

StepRecords::StepRecords(Backend& backend, std::int64_t rows,
                         const std::vector<Parameter*>& parameters)
    : backend_(backend),
      names_(names_of(parameters)),
      rows_(rows),
      sums_(make_sums(backend, "metrics", "sums", 1 + rows * row_sums())) {}

// entropy, total, squares.
std::int64_t StepRecords::row_sums() const {
  return kCrossEntropySums + 1 + static_cast<std::int64_t>(names_.size());
}

TensorRef StepRecords::row(std::int64_t number) const {
  return sums_at(sums_, 1 + number * row_sums(), row_sums());
}

// Steps are issued with the last row, so the one that fills the window leaves it where it is.
StepRecords::Row StepRecords::begin_step() {
  CHECK(on_their_way() < rows_, "there is a row for each step on its way");
  if (issued_.empty()) {
    begin_ = std::chrono::steady_clock::now();
  }
  const TensorRef last = row(rows_ - 1);
  return {.entropy = sums_at(last, 0, kCrossEntropySums),
          .squares = sums_at(last, kCrossEntropySums + 1, static_cast<std::int64_t>(names_.size())),
          .total = sums_at(last, kCrossEntropySums, 1)};
}

TensorRef StepRecords::refused() const {
  return sums_at(sums_, 0, 1);
}

void StepRecords::end_step(const StepReport& report, std::int64_t targets, std::int64_t tokens) {
  if (on_their_way() < rows_ - 1) {
    ops::copy(backend_, {.from = row(rows_ - 1), .to = row(on_their_way())});
  }
  issued_.push_back({report, targets, tokens});
}

std::optional<BrokenStep> StepRecords::take(std::vector<StepReport>& reports) {
  if (issued_.empty()) {
    return std::nullopt;
  }
  const std::vector<double> values = read_sums(backend_, sums_);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
  const std::vector<Issued> issued = std::exchange(issued_, {});
  const auto row_size = static_cast<std::size_t>(row_sums());
  for (std::size_t i = 0; i < issued.size(); ++i) {
    const std::span<const double> row = std::span(values).subspan(1 + i * row_size, row_size);
    const auto targets = static_cast<double>(issued[i].targets);
    StepReport report = issued[i].report;
    report.loss = row[0] / targets;
    report.accuracy = row[1] / targets;
    report.grad_norm = std::sqrt(row[kCrossEntropySums]);
    report.step_secs = took.count() / static_cast<double>(issued.size());
    if (!std::isfinite(report.loss) || !std::isfinite(report.grad_norm)) {
      clear_sums(backend_, refused());
      BrokenStep broken{.step = report.step,
                        .tokens_before = report.tokens - issued[i].tokens,
                        .loss = report.loss,
                        .grad_norm = report.grad_norm,
                        .parameter = {}};
      for (std::size_t p = 0; p < names_.size() && broken.parameter.empty(); ++p) {
        broken.parameter = std::isfinite(row[kCrossEntropySums + 1 + p]) ? "" : names_[p];
      }
      return broken;
    }
    reports.push_back(report);
  }
  return std::nullopt;
}

}  // namespace lathe
