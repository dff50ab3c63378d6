// The adapter of a linear slot: y += s B A x beside a weight that is frozen (LoRA, arXiv
// 2106.09685, eq. 3). A [rank, in] and B [out, rank] are f32 and what is trained; s = alpha / rank.
// Hydra's sequential branch (arXiv 2309.06922) is another that reads what the slot itself makes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/nn/factor_init.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"
#include "engine/nn/subtokens.h"

namespace lathe {

// Which elements a pass of training drops: a function of these, the slot and the place in it.
struct DropoutDraw {
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  TensorRef step_at = {};      // f64 [1]; where defined, the step lies there
  std::int64_t first_row = 0;  // of the pass, counted over the micro-batches of the step
};

// PiSSA's start (arXiv 2404.02948, eq. 2-4): A and B whose s B A is the best rank-r part of
// w [out, in].
FactorPair leading_adapter(const std::vector<float>& w, const AdapterPlan& plan, std::int64_t out,
                           std::int64_t in);

// The plan of the adapter that reads what the slot of `plan` makes.
LinearPlan output_adapter(const LinearPlan& plan);

// What an adapter keeps from forward: A x [N, rank], and what stands for x where the plan says so.
struct AdapterSaved {
  Tensor hidden;
  Tensor subtokens;
};

class Adapter {
 public:
  // Takes the memory. Precondition: plan.adapter.rank > 0.
  Adapter(Backend& backend, const LinearPlan& plan);

  // A uniform within 1 / sqrt(in) from (seed, stream), B zero: y is what it was.
  void begin(std::uint64_t seed, std::uint64_t stream);
  // PiSSA: takes the values of leading_adapter(), and W loses s B A. Precondition: W is dense, f32
  // and the slot's own.
  void take_leading(Parameter& weight);
  // ReLoRA (arXiv 2307.05695, algorithm 1): W += s B A, then begin(). Precondition as above.
  void restart(Parameter& weight, std::uint64_t seed, std::uint64_t stream);

  // Of the next forward() that keeps, and the backward() of that; `site` is the slot's.
  void draw_dropout(const DropoutDraw& draw, std::int64_t site);

  // y [N, out] += s B A x; y may be x where nothing is dropped. What backward needs goes to `kept`
  // where it is given; then, in training, x has lost what dropout takes. `again`: as
  // Subtokens::project() has it.
  void forward(TensorRef x, TensorRef y, AdapterSaved* kept, bool again = false);
  // Adds to both gradients and dx [N, in] += s dy B A, of elements that were kept. `saved`: what
  // forward kept. What dropout took is worked out again. x is not read where subtokens() stand for
  // it.
  void backward(TensorRef x, TensorRef dy, TensorRef dx, AdapterSaved saved);

  // Null where x itself is there for backward.
  Subtokens* subtokens() { return subtokens_ ? &*subtokens_ : nullptr; }

  void append_parameters(std::vector<Parameter*>& out);

 private:
  // y = what dropout leaves of x, or y += that.
  void drop(TensorRef x, TensorRef y, bool adds);
  // A's gradient and dx by that of A x.
  void input_backward(TensorRef x, TensorRef dhidden, TensorRef dx, Tensor subtokens);

  Backend* backend_;
  std::string layer_;
  AdapterPlan plan_;
  float scale_;
  Parameter a_, b_;
  std::optional<Subtokens> subtokens_;
  DropoutDraw draw_;
  std::int64_t site_ = 0;
};

}  // namespace lathe
