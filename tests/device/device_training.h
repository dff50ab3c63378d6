// What training on a device must do, whatever runs the kernels: learn as the processor does, keep
// to the plan, repeat itself to the bit.
#pragma once

#include "engine/backend/backend.h"
#include "engine/train/train_spec.h"

namespace lathe::test {

// Small models: RMSNorm, rotary positions, SwiGLU, grouped queries; LayerNorm, learned positions,
// GELU, biases.
TrainSpec llama_like_spec();
TrainSpec gpt2_like_spec();
// The same with patches of images, which see each other.
TrainSpec vit_like_spec();
// The factors of a LLaMA's slots, drawn to a GPT-2's random opinion; the rest frozen.
TrainSpec distilled_spec();
// Adapters in all slots of a LLaMA, with dropout.
TrainSpec dropping_spec();
// All inputs of a LLaMA's slots projected (VeLoRA), with the parameters that are given besides.
TrainSpec projecting_spec(const Json& params);
// Gradients of a LLaMA's slots projected (GaLore), chosen at every third step, with the parameters
// that are given besides.
TrainSpec galore_spec(const Json& params);
// Its matrices read through palettes of 8 centroids (DKM), two iterations a step, with the
// parameters that are given besides.
TrainSpec palette_spec(const Json& params);
// With what these methods put beside slots.
TrainSpec beside_spec(const Json& method);

// The losses of `steps` steps on both lie within `relative` of each other, and fall.
void expect_same_losses(Backend& device, const TrainSpec& spec, std::int64_t steps,
                        double relative);
// Two trainings give the same losses and the same parameters, to the bit.
void expect_repeatable(Backend& device, const TrainSpec& spec, std::int64_t steps);
// The peak of a step is what the meta back end foretells for the device, by category.
void expect_planned_peak(Backend& device, const TrainSpec& spec);
// Steps that are recorded and issued as a whole give the losses, the norms and the parameters of
// those that are issued op by op, to the bit: with evaluations, a checkpoint that is read again,
// knobs that are turned and windows of steps in between.
void expect_same_with_graph(Backend& device, TrainSpec spec);
// The same where samples are packed, whose targets vary in number, and a window bounds what is
// seen.
void expect_same_with_graph_of_samples(Backend& device);
// A recorded step that is not finite is refused as any other, and those behind it.
void expect_graph_refuses_broken_steps(Backend& device, TrainSpec spec);
// A step that runs out of memory throws, and with memory again the run goes on.
void expect_recovery_from_lack_of_memory(Backend& device, const TrainSpec& spec);

}  // namespace lathe::test
