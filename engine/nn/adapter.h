// The adapter of a linear slot: y += s B A x beside a weight that is frozen (LoRA, arXiv
// 2106.09685, eq. 3). A [rank, in] and B [out, rank] are f32 and what is trained; s = alpha / rank.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"

namespace lathe {

class Adapter {
 public:
  // Takes the memory. Precondition: plan.adapter.rank > 0.
  Adapter(Backend& backend, const LinearPlan& plan);

  // A uniform within 1 / sqrt(in) from (seed, stream), B zero: y is what it was.
  void begin(std::uint64_t seed, std::uint64_t stream);
  // PiSSA (arXiv 2404.02948, eq. 2-4): s B A becomes the best rank-r part of W, and W loses it.
  // Precondition: W is dense, f32 and the slot's own.
  void take_leading(Parameter& weight);
  // ReLoRA (arXiv 2307.05695, algorithm 1): W += s B A, then begin(). Precondition as above.
  void restart(Parameter& weight, std::uint64_t seed, std::uint64_t stream);

  // y [N, out] += s B A x. A x [N, rank] goes to `kept` where it is given.
  void forward(TensorRef x, TensorRef y, Tensor* kept);
  // Adds to both gradients and dx [N, in] += s dy B A. `hidden`: what forward kept.
  void backward(TensorRef x, TensorRef dy, TensorRef dx, Tensor hidden);

  void append_parameters(std::vector<Parameter*>& out);

 private:
  Backend* backend_;
  std::string layer_;
  AdapterPlan plan_;
  float scale_;
  Parameter a_, b_;
};

}  // namespace lathe
