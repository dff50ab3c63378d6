// See subtoken_probe.h.
#include "engine/train/subtoken_probe.h"

#include <cmath>

#include "engine/backend/sums.h"

namespace lathe {
namespace {

// Of squares; of nothing all is kept.
double share(double part, double whole) {
  return whole > 0 ? part / whole : 1.0;
}

}  // namespace

std::vector<SubtokenProbe> probe_subtokens(Backend& backend, Transformer& model,
                                           const TrainBatch& batch, std::int64_t logit_chunk) {
  const std::vector<Subtokens*> all = model.subtokens();
  const auto count = static_cast<std::int64_t>(all.size());
  const Tensor squares = make_sums(backend, "probe", "squares", count * kSubtokenSquares);
  const Tensor entropy = make_sums(backend, "probe", "entropy");
  for (std::int64_t i = 0; i < count; ++i) {
    all[static_cast<std::size_t>(i)]->probe_into(
        sums_at(squares, i * kSubtokenSquares, kSubtokenSquares));
  }
  model.train(batch.ids, batch.targets, batch.shape, logit_chunk, 1.0f, entropy);
  for (Subtokens* subtokens : all) {
    subtokens->probe_into({});
  }
  const std::vector<double> sums = read_sums(backend, squares);
  std::vector<SubtokenProbe> probes;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double* const of = sums.data() + i * kSubtokenSquares;
    probes.push_back({.slot = all[i]->layer(),
                      .kept_energy = share(of[1], of[0]),
                      .cosine = std::sqrt(share(of[3], of[4]))});
  }
  return probes;
}

}  // namespace lathe
