// A linear slot: y = W x with the weight stored as its plan says. Dense, or two factors
// y = B f(A x) (FinGPT-HPC, arXiv 2402.13533, section III: two narrow layers for one).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "engine/nn/adapter.h"
#include "engine/nn/gradient_projection.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/palette.h"
#include "engine/nn/parameter.h"
#include "engine/nn/scale_shift.h"

namespace lathe {

// What a slot keeps from forward beside its input: of a low-rank slot the inner A x [N, rank], of
// an adapter its own.
struct LinearSaved {
  Tensor hidden;
  Tensor subtokens;  // what stands for the input where the plan says so
  AdapterSaved adapted;
  Tensor made;  // y0 of AdapterPlan, where backward reads it, as activations are kept
  AdapterSaved output_adapted;
  bool again = false;  // set before a forward() that repeats one for backward
};

class Linear {
 public:
  // Takes the memory; values come from initialise().
  Linear(Backend& backend, const LinearPlan& plan);

  const LinearPlan& plan() const { return plan_; }

  // Fills the weight from (seed, stream of the slot): N(0, init_std^2), or factors of such a
  // matrix.
  void initialise(std::uint64_t seed, std::uint64_t stream);

  // Cycle 0: the adapter, if there is one, begins beside the weight as it is, and so does the
  // direction of sub-tokens; later ones: the adapter joins the weight and begins anew.
  void start_adapter(std::uint64_t seed, std::uint64_t stream, std::uint64_t cycle);

  // Adapter::draw_dropout() of the adapter, if there is one.
  void draw_dropout(const DropoutDraw& draw, std::int64_t site) {
    if (adapter_ != nullptr) {
      adapter_->draw_dropout(draw, site);
    }
  }

  // How what stands for inputs is kept, Subtokens::keep_as().
  void keep_activations(DType type);

  // Whether backward() reads x: not if nothing is trained that it makes the gradient of, nor where
  // sub-tokens stand for it, unless these are probed.
  bool needs_input() const;
  // Of any of them; null ones do not count.
  static bool any_needs_input(std::initializer_list<const Linear*> slots);

  // x [N, in] -> y [N, out]. What backward needs goes to `saved` where it is given.
  void forward(TensorRef x, TensorRef y, LinearSaved* saved);

  // A slot and where its output goes.
  struct Use {
    Linear* layer;
    TensorRef y;
  };
  // forward() of up to three slots that read the same x, nothing kept. A few rows and stored
  // weights go through one op.
  static void forward_together(TensorRef x, std::initializer_list<Use> uses);

  // Adds to the weight's gradients; dx = dx_beta * dx + dy W. Frees what `saved` held. x may be
  // undefined where it is not needed.
  void backward(TensorRef x, TensorRef dy, TensorRef dx, float dx_beta, LinearSaved saved);

  void append_parameters(std::vector<Parameter*>& out);
  // Those of the input x: the adapter's, where there is one; null where the plan has none.
  Subtokens* subtokens() const;
  // With those of y0.
  void append_subtokens(std::vector<Subtokens*>& out) const;
  // Null where the optimizer sees the whole gradient.
  GradientProjection* projection() const { return projection_.get(); }
  // A matrix and the palette that it is read through.
  struct Palettised {
    Parameter* weight;
    Palette* palette;
  };
  // Of all its matrices, where the plan has palettes.
  void append_palettes(std::vector<Palettised>& out);

 private:
  // Whether it can be a product of a packed_group of x.
  bool groups(TensorRef x) const;
  // nullptr where there is none, or it is frozen.
  Parameter* trained_bias() const {
    return bias_ != nullptr && !bias_->frozen ? bias_.get() : nullptr;
  }
  // What products read of matrix `index`: the weight, or what its palette makes of it.
  struct Read {
    Tensor made;
    TensorRef weight;
  };
  Read read(std::size_t index);
  // y = W x + b.
  void multiply(TensorRef x, TensorRef y, LinearSaved* saved);
  void begin_directions(std::uint64_t seed, std::uint64_t stream);
  // y0 becomes y, by what the plan has beside the weight.
  void adapt(TensorRef x, TensorRef y, LinearSaved* saved);
  bool keeps_made() const;
  Tensor kept_made(TensorRef y);
  // The gradient of y0 by that of y; undefined where they are one.
  Tensor made_backward(TensorRef dy, LinearSaved& saved);
  void initialise_spectral(std::uint64_t seed, std::uint64_t stream);
  // dW += dy^T x, unless W is frozen, and the bias's gradient += the sums of dy where it has one.
  void add_weight_gradient(Parameter& weight, TensorRef dy, TensorRef x, Parameter* bias = nullptr);
  // The first matrix, which reads x.
  void add_input_gradient(TensorRef dy, TensorRef x, Tensor subtokens, Parameter* bias = nullptr);
  void backward_low_rank(TensorRef x, TensorRef dy, TensorRef dx, float dx_beta, LinearSaved saved);

  Backend* backend_;
  LinearPlan plan_;
  std::unique_ptr<Parameter> bias_;   // null where the plan has none
  std::vector<Parameter> weights_;    // dense: W [out, in]; low rank: A [rank, in], B [out, rank]
  std::unique_ptr<Adapter> adapter_;  // null where the plan has none, as the next two
  std::unique_ptr<Adapter> output_adapter_;  // reads y0
  std::unique_ptr<ScaleShift> scale_shift_;
  std::unique_ptr<Subtokens> subtokens_;  // of a slot with nothing beside it, which has its own
  DType kept_type_ = DType::kF32;         // of activations
  std::unique_ptr<GradientProjection> projection_;  // of a dense weight that is trained, or null
  std::vector<std::unique_ptr<Palette>> palettes_;  // one a matrix, where the plan has them
};

}  // namespace lathe
