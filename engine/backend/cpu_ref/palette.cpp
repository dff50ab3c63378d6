// Differentiable k-means, point by point in double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/cpu_ref/palette_numbers.h"

namespace lathe::cpu_ref {
namespace {

// body(index, code, scale of the row) for each weight.
template <typename Body>
void for_weights(const CodedWeights& weights, const Body& body) {
  for (std::int64_t i = 0; i < weights.w.elements(); ++i) {
    body(i, std::int64_t{code_of(weights, i)}, double(scale_of(weights, i / weights.w.cols())));
  }
}

// A point and what draws it.
struct Attention {
  std::vector<double> x;   // [d]
  std::vector<double> p;   // [K], the softmax
  std::vector<double> a;   // [K], not below the floor
  std::int64_t index = 0;  // of the point
  double count = 1.0;
};

class Points {
 public:
  Points(const PalettePoints& points, const PaletteCentroids& centroids)
      : points_(points), centroids_(centroids), dim_(centroids.dim()) {}

  double c(std::int64_t j, std::int64_t e) const {
    return double(centroids_.c.f32()[j * dim_ + e]);
  }
  double tau() const { return double(centroids_.tau.f32()[0]); }

  // body(attention) for each point that is there.
  template <typename Body>
  void each(const Body& body) const {
    for (std::int64_t i = 0; i < points_.count(); ++i) {
      const double count = points_.counts.defined() ? double(points_.counts.f32()[i]) : 1.0;
      if (count != 0.0) {
        body(attention(i, count));
      }
    }
  }

  std::vector<double> distances(const std::vector<double>& x) const {
    std::vector<double> squares(static_cast<std::size_t>(centroids_.clusters()));
    for (std::size_t j = 0; j < squares.size(); ++j) {
      for (std::int64_t e = 0; e < dim_; ++e) {
        const double off = x[static_cast<std::size_t>(e)] - c(static_cast<std::int64_t>(j), e);
        squares[j] += off * off;
      }
    }
    return squares;
  }

 private:
  Attention attention(std::int64_t index, double count) const {
    Attention out{.x = {}, .p = {}, .a = {}, .index = index, .count = count};
    for (std::int64_t e = 0; e < dim_; ++e) {
      out.x.push_back(points_.x.defined()
                          ? double(points_.x.f32()[index * dim_ + e])
                          : double(number_of(points_.codes, static_cast<std::uint16_t>(index))));
    }
    out.p = distances(out.x);
    const double nearest = *std::min_element(out.p.begin(), out.p.end());
    double total = 0.0;
    for (double& p : out.p) {
      p = std::exp((nearest - p) / tau());
      total += p;
    }
    for (double& p : out.p) {
      p /= total;
      out.a.push_back(std::max(p, double(centroids_.floor)));
    }
    return out;
  }

  const PalettePoints& points_;
  const PaletteCentroids& centroids_;
  std::int64_t dim_;
};

void write(const std::vector<double>& from, const TensorRef& to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    to.f32()[i] = static_cast<float>(from[i]);
  }
}

}  // namespace

void palette_count(Backend&, const PaletteCountArgs& args) {
  std::fill_n(args.counts.f32(), kPaletteCodes, 0.0f);
  std::vector<std::int64_t> counts(kPaletteCodes);
  for_weights(args.weights, [&](std::int64_t, std::int64_t code, double) {
    ++counts[static_cast<std::size_t>(code)];
  });
  std::copy(counts.begin(), counts.end(), args.counts.f32());
}

void palette_lookup(Backend&, const PaletteLookupArgs& args) {
  for_weights(args.weights, [&](std::int64_t i, std::int64_t code, double scale) {
    args.out.f32()[i] = static_cast<float>(scale * double(args.table.f32()[code]));
  });
}

void palette_sums(Backend&, const PaletteSumsArgs& args) {
  std::vector<double> sums(kPaletteCodes);
  for_weights(args.weights, [&](std::int64_t i, std::int64_t code, double scale) {
    sums[static_cast<std::size_t>(code)] += scale * double(args.g.f32()[i]);
  });
  write(sums, args.sums);
}

void palette_gradient(Backend&, const PaletteGradientArgs& args) {
  for_weights(args.weights, [&](std::int64_t i, std::int64_t code, double scale) {
    float& g = args.g.f32()[i];
    g = static_cast<float>(double(g) * double(args.alpha.f32()[code]) +
                           double(args.beta.f32()[code]) / scale);
  });
}

void palette_iterate(Backend&, const PaletteIterateArgs& args) {
  const std::int64_t dim = args.centroids.dim();
  const auto clusters = static_cast<std::size_t>(args.centroids.clusters());
  std::vector<double> mass(clusters);
  std::vector<double> next(clusters * static_cast<std::size_t>(dim));
  Points(args.points, args.centroids).each([&](const Attention& at) {
    for (std::size_t j = 0; j < clusters; ++j) {
      mass[j] += at.count * at.a[j];
      for (std::size_t e = 0; e < at.x.size(); ++e) {
        next[j * at.x.size() + e] += at.count * at.a[j] * at.x[e];
      }
    }
  });
  for (std::size_t i = 0; i < next.size(); ++i) {
    const double of = mass[i / static_cast<std::size_t>(dim)];
    next[i] = of == 0.0 ? double(args.centroids.c.f32()[i]) : next[i] / of;
  }
  write(mass, args.mass);
  write(next, args.next);
}

void palette_apply(Backend&, const PaletteApplyArgs& args) {
  const std::int64_t dim = args.centroids.dim();
  const Points points(args.points, args.centroids);
  points.each([&](const Attention& at) {
    const std::vector<double> squares = points.distances(at.x);
    const auto nearest = std::min_element(squares.begin(), squares.end()) - squares.begin();
    for (std::int64_t e = 0; e < dim; ++e) {
      float& out = args.out.f32()[at.index * dim + e];
      if (args.hard) {
        out = float_of_half(half_of_float(args.values.f32()[nearest * dim + e]));
        continue;
      }
      double sum = 0.0;
      for (std::size_t j = 0; j < at.a.size(); ++j) {
        sum += at.a[j] * double(args.values.f32()[static_cast<std::int64_t>(j) * dim + e]);
      }
      out = static_cast<float>(sum);
    }
  });
}

void palette_pull(Backend&, const PalettePullArgs& args) {
  const std::int64_t dim = args.centroids.dim();
  std::vector<double> sums(static_cast<std::size_t>(args.dvalues.elements()));
  Points(args.points, args.centroids).each([&](const Attention& at) {
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const std::int64_t e = static_cast<std::int64_t>(i) % dim;
      sums[i] += at.a[i / static_cast<std::size_t>(dim)] * double(args.g.f32()[at.index * dim + e]);
    }
  });
  write(sums, args.dvalues);
}

void palette_backward(Backend&, const PaletteBackwardArgs& args) {
  const std::int64_t dim = args.centroids.dim();
  const std::int64_t clusters = args.centroids.clusters();
  const double floor = args.centroids.floor;
  const bool listed = args.points.x.defined();
  const Points points(args.points, args.centroids);
  const double slope = 2.0 / points.tau();
  std::vector<double> dc(static_cast<std::size_t>(clusters * dim));
  // In f32, as other back ends have them.
  const float* const next = args.next.f32();
  const float* const dnext = args.dnext.f32();

  points.each([&](const Attention& at) {
    std::vector<double> from_centroids(at.p.size()), from_output(at.p.size());
    std::vector<double> dx(at.x.size());
    for (std::int64_t j = 0; j < clusters; ++j) {
      const auto index = static_cast<std::size_t>(j);
      const double mass = args.mass.f32()[j];
      for (std::int64_t e = 0; e < dim && mass != 0.0; ++e) {
        const std::int64_t place = j * dim + e;
        const double share = double(dnext[place]) / mass;
        from_centroids[index] += share * (at.x[static_cast<std::size_t>(e)] - double(next[place]));
        dx[static_cast<std::size_t>(e)] += at.a[index] * share;
      }
      for (std::int64_t e = 0; e < dim && args.apply; ++e) {
        const double g = listed ? double(args.g.f32()[at.index * dim + e]) : 1.0;
        from_output[index] += g * double(next[j * dim + e]);
      }
    }
    const std::vector<double> centroid_logits = softmax_backward(at.p, from_centroids, floor);
    const std::vector<double> output_logits = softmax_backward(at.p, from_output, floor);
    const double sum = listed ? 1.0 : args.apply ? double(args.g.f32()[at.index]) : 0.0;
    double alpha = 0.0;
    for (std::int64_t j = 0; j < clusters; ++j) {
      const auto index = static_cast<std::size_t>(j);
      for (std::int64_t e = 0; e < dim; ++e) {
        const double off = at.x[static_cast<std::size_t>(e)] - points.c(j, e);
        const double listed_logit = listed ? output_logits[index] : 0.0;
        dx[static_cast<std::size_t>(e)] -= slope * off * (centroid_logits[index] + listed_logit);
        alpha -= slope * off * output_logits[index];
        dc[static_cast<std::size_t>(j * dim + e)] +=
            slope * off * (at.count * centroid_logits[index] + sum * output_logits[index]);
      }
    }
    if (!listed) {
      float& beta = args.beta.f32()[at.index];
      beta = static_cast<float>(dx[0] + (args.apply ? 0.0 : double(beta)));
      if (args.apply) {
        args.alpha.f32()[at.index] = static_cast<float>(alpha);
      }
      return;
    }
    for (std::int64_t e = 0; e < dim; ++e) {
      float& g = args.g.f32()[at.index * dim + e];
      g = static_cast<float>(dx[static_cast<std::size_t>(e)] + (args.apply ? 0.0 : double(g)));
    }
  });
  for (std::int64_t i = 0; i < clusters * dim && args.dc.defined(); ++i) {
    const bool stayed = args.mass.f32()[i / dim] == 0.0f;
    args.dc.f32()[i] =
        static_cast<float>(dc[static_cast<std::size_t>(i)] + (stayed ? double(dnext[i]) : 0.0));
  }
}

}  // namespace lathe::cpu_ref
