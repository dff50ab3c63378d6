// Buckets to polylines: upright strokes where a column holds several points.
#include "ui/widgets/plot_series.h"

#include <implot.h>

#include <limits>

#include "ui/model/smoothing.h"

namespace lathe::ui {

namespace {

struct Line {
  std::vector<double> x;
  std::vector<double> y;

  void add(double px, double py) {
    x.push_back(px);
    y.push_back(py);
  }
  void draw(const std::string& id, const ImVec4& color, float weight) const {
    ImPlotSpec spec;
    spec.LineColor = color;
    spec.LineWeight = weight;
    ImPlot::PlotLine(id.c_str(), x.data(), y.data(), static_cast<int>(x.size()), spec);
  }
};

// A bucket of several points becomes an upright stroke from its lowest to its highest.
Line measured_line(const std::vector<Bucket>& buckets, double factor) {
  Line line;
  for (const Bucket& bucket : buckets) {
    if (bucket.min == bucket.max) {
      line.add(bucket.x * factor, bucket.last);
      continue;
    }
    const bool rising = !line.y.empty() && line.y.back() < (bucket.min + bucket.max) / 2;
    line.add(bucket.x * factor, rising ? bucket.min : bucket.max);
    line.add(bucket.x * factor, rising ? bucket.max : bucket.min);
  }
  return line;
}

}  // namespace

void plot_curve(const std::string& id, const Series& series, const CurveStyle& style, double from,
                double to, std::size_t columns) {
  const double infinity = std::numeric_limits<double>::infinity();
  const bool all = to <= from;
  const std::vector<Bucket> buckets = series.sample(all ? -infinity : from / style.x_factor,
                                                    all ? infinity : to / style.x_factor, columns);
  if (buckets.empty()) {
    return;
  }
  const bool smoothed = style.smoothing > 0 && buckets.size() > 2;
  ImVec4 color = style.color;
  if (smoothed) {
    color.w *= 0.28f;
  }
  measured_line(buckets, style.x_factor).draw(id, color, smoothed ? 1.0f : style.weight);
  if (smoothed) {
    Line line;
    line.y = smooth(buckets, static_cast<double>(style.smoothing));
    for (const Bucket& bucket : buckets) {
      line.x.push_back(bucket.x * style.x_factor);
    }
    line.draw(id, style.color, style.weight);
  }
  if (buckets.size() == 1) {
    ImPlotSpec dot;
    dot.Marker = ImPlotMarker_Circle;
    dot.MarkerSize = style.weight * 2;
    dot.MarkerFillColor = style.color;
    dot.MarkerLineColor = style.color;
    const double x = buckets[0].x * style.x_factor;
    ImPlot::PlotScatter(id.c_str(), &x, &buckets[0].last, 1, dot);
  }
}

}  // namespace lathe::ui
