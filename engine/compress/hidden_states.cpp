// See hidden_states.h.
#include "engine/compress/hidden_states.h"

#include <algorithm>

namespace lathe {
namespace {

// Rows of a portion: enough for products at full speed.
constexpr std::int64_t kPortionRows = 4096;

}  // namespace

Block load_block(Backend& backend, const ModelFile& model, std::int64_t index) {
  const ModelConfig& config = model.config();
  Block block(backend, config, index, model.plans().data() + index * config.slots_per_block());
  std::vector<Parameter*> parameters;
  block.append_parameters(parameters);
  for (Parameter* parameter : parameters) {
    const std::vector<float> values = model.floats(parameter->name);
    backend.write(parameter->weight, values.data(), parameter->weight.ref().bytes());
  }
  return block;
}

HiddenStates::HiddenStates(const ModelFile& model, const CalibrationSequences& sequences)
    : count_(sequences.count),
      length_(sequences.length),
      dim_(model.config().dim),
      portion_(std::clamp<std::int64_t>(kPortionRows / sequences.length, 1, sequences.count)) {
  const std::vector<float> table = model.floats("embedding.weight");
  const bool learned = model.config().positions == PositionKind::kLearned;
  const std::vector<float> places =
      learned ? model.floats("positions.weight") : std::vector<float>();
  values_.reserve(static_cast<std::size_t>(sequences.tokens() * dim_));
  for (std::size_t i = 0; i < sequences.ids.size(); ++i) {
    const auto row = table.begin() + sequences.ids[i] * dim_;
    const auto begin = values_.insert(values_.end(), row, row + dim_);
    if (learned) {
      const auto place = places.begin() + static_cast<std::int64_t>(i) % length_ * dim_;
      std::transform(begin, values_.end(), place, begin, std::plus<>());
    }
  }
}

std::int64_t HiddenStates::portions() const {
  return (count_ + portion_ - 1) / portion_;
}

std::int64_t HiddenStates::first_sequence(std::int64_t portion) const {
  return std::min(portion * portion_, count_);
}

Tensor HiddenStates::send(Backend& backend, Block& block, std::int64_t portion,
                          const BlockObserver& observer) const {
  const BatchShape shape{.batch = first_sequence(portion + 1) - first_sequence(portion),
                         .seq_len = length_};
  Tensor x = workspace(backend, "calibration", "hidden", Shape{shape.tokens(), dim_});
  backend.write(x, values_.data() + first_value(portion), x.ref().bytes());
  return block.forward(std::move(x), shape, nullptr, observer);
}

void HiddenStates::pass(Backend& backend, Block& block, std::int64_t portion,
                        const BlockObserver& observer) {
  const Tensor out = send(backend, block, portion, observer);
  backend.read(out, values_.data() + first_value(portion), out.ref().bytes());
}

void HiddenStates::look(Backend& backend, Block& block, std::int64_t portion,
                        const BlockObserver& observer) const {
  const Tensor out = send(backend, block, portion, observer);
}

BlockObserver copying_observer(Backend& backend, BlockValues& values) {
  return [&backend, &values](BlockValue value, TensorRef x) {
    std::vector<float>& rows = values[static_cast<std::size_t>(value)];
    rows.resize(static_cast<std::size_t>(x.elements()));
    backend.read(x, rows.data(), x.bytes());
  };
}

}  // namespace lathe
