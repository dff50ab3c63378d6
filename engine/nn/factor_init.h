// Initial factors of a low-rank slot.
#pragma once

#include <cstdint>
#include <vector>

namespace lathe {

struct FactorPair {
  std::vector<float> a;  // [rank, in]
  std::vector<float> b;  // [out, rank]
};

// The best rank-r approximation U S V^T of w [out, in], its singular values shared between the
// factors, B = U S^1/2 and A = S^1/2 V^T. Found from the eigenvectors of the smaller Gram matrix of
// w in f32 (LAPACK ssyevr, the leading `rank` only), which costs a tenth of a full SVD.
FactorPair leading_factors(const std::vector<float>& w, std::int64_t out, std::int64_t in,
                           std::int64_t rank);

// The eigenvector of length 1 of the greatest eigenvalue of the symmetric gram [n, n], of the sign
// that makes its sum positive; of a gram that is not finite all elements are alike.
std::vector<float> leading_direction(const std::vector<float>& gram, std::int64_t n);

// Spectral initialisation (Khodak et al. 2021, "Initialization and Regularization of Factorized
// Neural Layers", section 3.1): the leading factors of W ~ N(0, init_std^2), the same W as a dense
// slot of that seed and stream would start from.
FactorPair spectral_factors(std::int64_t out, std::int64_t in, std::int64_t rank, double init_std,
                            std::uint64_t seed, std::uint64_t stream);

}  // namespace lathe
