// AdamW over lists of tensors: at its first step and later, with and without decay and clipping, of
// weights in f32, in bf16 with a master and in bf16 alone, with moments in f32 and in 8 bits, and
// where the step is refused.
#include <cmath>
#include <limits>

#include "engine/backend/sums.h"
#include "engine/backend/update_rule.h"
#include "tests/conformance/case.h"
#include "tests/conformance/moment_formula.h"

namespace lathe::conformance {
namespace {

enum class Kept { kFloat, kMaster, kRounded };

enum class Moments { kFloat, kCodes, kMixed };

struct StepCase {
  std::vector<std::int64_t> sizes;
  Kept kept = Kept::kFloat;
  Moments moments = Moments::kFloat;
  std::int64_t step = 7;
  float decay = 0.1f;
  double clip = 0.0;  // the norm is taken to be 4
  double squares = 16.0;
  double loss = 2.5;
  double refused = 0.0;
  Fill fill = Fill::kUniform;
  bool on_device = false;  // lr, decay, clip and step lie in a tensor

  bool coded(std::size_t tensor) const {
    return moments == Moments::kCodes || (moments == Moments::kMixed && tensor % 2 == 1);
  }
  bool taken() const { return std::isfinite(squares) && std::isfinite(loss) && refused == 0.0; }
  double scale() const { return clip > 0.0 && clip < 4.0 ? clip / 4.0 : 1.0; }
  std::string of(const char* what, std::size_t tensor) const {
    return std::string(what) + std::to_string(tensor);
  }
};

// The first decays, the second does not, and so on.
bool decays(std::size_t tensor) {
  return tensor % 2 == 0;
}

// Codes of moments. Where there are three blocks and more, the second has had no gradient yet, nor
// has it one now if it is to be drawn from uniform numbers.
void add_codes(const StepCase& c, std::size_t t, Case& test) {
  const std::int64_t size = c.sizes[t];
  test.codes(c.of("m", t), Shape{size});
  // A small v under a small gradient is a large step, which would hide the others' errors.
  test.codes(c.of("v", t), Shape{size}, size < 20000 ? 63 : 0);
  for (const char* what : {"m", "v"}) {
    const std::string name = c.of(what, t) + "_absmax";
    test.in_out(name, Shape{blocks_of_moment(size)});
    std::vector<float>& absmax = test.operands[name].values;
    for (float& value : absmax) {
      value = 0.1f + std::fabs(value);
    }
    if (absmax.size() > 2) {
      absmax[1] = 0.0f;
    }
  }
  std::vector<float>& gradient = test.operands[c.of("gradient", t)].values;
  if (blocks_of_moment(size) > 2 && c.fill == Fill::kUniform) {
    std::fill_n(gradient.begin() + kMomentBlock, kMomentBlock, 0.0f);
  }
}

void add_operands(const StepCase& c, Case& test) {
  for (std::size_t t = 0; t < c.sizes.size(); ++t) {
    const Shape shape{c.sizes[t]};
    if (c.kept == Kept::kFloat) {
      test.in_out(c.of("weight", t), shape);
    } else {
      test.packed_input(c.of("weight", t), shape, DType::kBf16);
      test.operands[c.of("weight", t)].role = Role::kInOut;
    }
    if (c.kept == Kept::kMaster) {
      test.in_out(c.of("master", t), shape);
    }
    test.input(c.of("gradient", t), shape, c.fill);
    if (c.coded(t)) {
      add_codes(c, t, test);
      continue;
    }
    test.in_out(c.of("m", t), shape, c.fill);
    test.in_out(c.of("v", t), shape, c.fill);
    for (float& value : test.operands[c.of("v", t)].values) {
      value = std::fabs(value);
    }
  }
}

MomentRef moment_of(const StepCase& c, const char* what, std::size_t t, const Refs& refs) {
  MomentRef moment{refs.at(c.of(what, t))};
  if (c.coded(t)) {
    moment.absmax = refs.at(c.of(what, t) + "_absmax");
  }
  return moment;
}

std::vector<double> call_step(const StepCase& c, Backend& backend, const Refs& refs) {
  std::vector<AdamwTensor> tensors;
  for (std::size_t t = 0; t < c.sizes.size(); ++t) {
    tensors.push_back({.weight = refs.at(c.of("weight", t)),
                       .gradient = refs.at(c.of("gradient", t)),
                       .m = moment_of(c, "m", t, refs),
                       .v = moment_of(c, "v", t, refs),
                       .decays = decays(t)});
    if (c.kept == Kept::kMaster) {
      tensors.back().master = refs.at(c.of("master", t));
    }
  }
  const Tensor sums = make_sums(backend, "conformance", "sums", 3);
  const std::array<double, 3> given{c.squares, c.loss, c.refused};
  backend.write(sums, given.data(), sizeof given);
  AdamwStepArgs args{.tensors = tensors,
                     .squares = sums_at(sums, 0, 1),
                     .loss = sums_at(sums, 1, 1),
                     .refused = sums_at(sums, 2, 1),
                     .lr = 1e-2f,
                     .beta1 = 0.9f,
                     .beta2 = 0.95f,
                     .eps = 1e-8f,
                     .weight_decay = c.decay,
                     .clip_norm = c.clip,
                     .step = c.step,
                     .seed = 99};
  Tensor values;
  if (c.on_device) {
    const UpdateValues lying = update_values(args);
    values = make_sums(backend, "conformance", "values", kUpdateValues);
    backend.write(values, &lying, sizeof lying);
    args.values = values;
    args.lr = args.weight_decay = NAN;
    args.clip_norm = NAN;
    args.step = 1;
  }
  ops::adamw_step(backend, args);
  return {read_sums(backend, sums)[2]};
}

// A moment before the step.
std::vector<double> moment_before(const StepCase& c, const char* what, std::size_t t,
                                  const Wide& in) {
  const std::vector<double>& kept = in.at(c.of(what, t));
  return c.coded(t) ? decoded(kept, in.at(c.of(what, t) + "_absmax"), *what == 'm') : kept;
}

// The moments after it, as they are kept.
void expect_moment(const StepCase& c, const char* what, std::size_t t, const Wide& in,
                   const std::vector<double>& after, Wide& out) {
  const std::string name = c.of(what, t);
  if (!c.coded(t)) {
    out[name] = after;
  } else if (c.taken()) {
    encode(after, *what == 'm', out[name], out[name + "_absmax"]);
  } else {
    out[name] = in.at(name);
    out[name + "_absmax"] = in.at(name + "_absmax");
  }
}

void expect_tensor(const StepCase& c, const Wide& in, std::size_t t, Wide& out) {
  const double beta1 = double(0.9f);
  const double beta2 = double(0.95f);
  const double decay = decays(t) ? double(c.decay) : 0.0;
  const std::vector<double>& gradient = in.at(c.of("gradient", t));
  std::vector<double> first = moment_before(c, "m", t, in);
  std::vector<double> second = moment_before(c, "v", t, in);
  std::vector<double> weight = in.at(c.of(c.kept == Kept::kMaster ? "master" : "weight", t));
  for (std::size_t i = 0; i < gradient.size() && c.taken(); ++i) {
    const double g = c.scale() * gradient[i];
    first[i] = first[i] * beta1 + g * (1.0 - beta1);
    second[i] = second[i] * beta2 + g * g * (1.0 - beta2);
    const double mhat = first[i] / (1.0 - std::pow(beta1, double(c.step)));
    const double vhat = second[i] / (1.0 - std::pow(beta2, double(c.step)));
    weight[i] *= 1.0 - double(1e-2f) * decay;
    weight[i] -= double(1e-2f) * mhat / (std::sqrt(vhat) + double(1e-8f));
  }
  expect_moment(c, "m", t, in, first, out);
  expect_moment(c, "v", t, in, second, out);
  if (c.kept == Kept::kMaster) {
    out[c.of("master", t)] = weight;
  }
  out[c.of("weight", t)] =
      c.taken() ? weight : in.at(c.of("weight", t));  // a master may say something else
}

// Each code, by what rounding of the two terms of its moment may do to it.
Wide expect_leeway(const StepCase& c, const Wide& in) {
  Wide leeway;
  for (std::size_t t = 0; t < c.sizes.size() && c.taken(); ++t) {
    for (const char* what : {"m", "v"}) {
      if (!c.coded(t)) {
        continue;
      }
      const bool first = *what == 'm';
      const double keep = first ? double(0.9f) : double(0.95f);
      std::vector<double> value = moment_before(c, what, t, in);
      std::vector<double> size = value;
      for (std::size_t i = 0; i < value.size(); ++i) {
        const double g = c.scale() * in.at(c.of("gradient", t))[i];
        const double added = (1.0 - keep) * (first ? g : g * g);
        size[i] = keep * std::fabs(value[i]) + std::fabs(added);
        value[i] = keep * value[i] + added;
      }
      leeway[c.of(what, t)] = code_leeway(value, size, first);
    }
  }
  return leeway;
}

Case step_case(const StepCase& c) {
  std::string sizes;
  for (const std::int64_t size : c.sizes) {
    sizes.append(sizes.empty() ? "" : "+").append(std::to_string(size));
  }
  if (c.sizes.size() > 8) {
    sizes = std::to_string(c.sizes.size()) + " tensors";
  }
  static constexpr std::array kKept{"f32", "master", "rounded"};
  static constexpr std::array kMoments{"f32", "codes", "mixed"};
  Case test = make_case("adamw_step", {{"sizes", sizes},
                                       {"kept", kKept[static_cast<std::size_t>(c.kept)]},
                                       {"moments", kMoments[static_cast<std::size_t>(c.moments)]},
                                       param("step", c.step),
                                       param("decay", c.decay),
                                       param("clip", c.clip),
                                       param("squares", c.squares),
                                       param("loss", c.loss),
                                       param("refused", c.refused),
                                       param("fill", c.fill),
                                       param("on_device", int{c.on_device})});
  add_operands(c, test);
  test.call = [c](Backend& backend, const Refs& refs) { return call_step(c, backend, refs); };
  test.expect = [c](const Wide& in) {
    Wide out;
    for (std::size_t t = 0; t < c.sizes.size(); ++t) {
      expect_tensor(c, in, t, out);
    }
    out["host"] = {c.taken() ? 0.0 : 1.0};
    return out;
  };
  test.leeway = [c](const Wide& in) { return expect_leeway(c, in); };
  return test;
}

void add_coded_cases(std::vector<Case>& cases) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const Kept kept : {Kept::kFloat, Kept::kMaster, Kept::kRounded}) {
    for (const std::vector<std::int64_t>& sizes :
         std::vector<std::vector<std::int64_t>>{{0}, {1}, {255}, {257}, {8192, 770}, {20011}}) {
      cases.push_back(step_case({.sizes = sizes, .kept = kept, .moments = Moments::kCodes}));
    }
    StepCase mixed{.sizes = {13, 0, 5, 8195, 700, 512}, .kept = kept, .moments = Moments::kMixed};
    cases.push_back(step_case(mixed));
    mixed.step = 1;
    mixed.clip = 1.5;
    mixed.on_device = true;
    cases.push_back(step_case(mixed));
    mixed.squares = kNan;
    cases.push_back(step_case(mixed));
  }
  // Gradients that are not finite are not for this op: their squares refuse the step.
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    cases.push_back(step_case({.sizes = {800}, .moments = Moments::kCodes, .fill = fill}));
  }
}

}  // namespace

std::vector<Case> adamw_step_cases() {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<Case> cases;
  for (const Kept kept : {Kept::kFloat, Kept::kMaster, Kept::kRounded}) {
    for (const std::vector<std::int64_t>& sizes :
         std::vector<std::vector<std::int64_t>>{{0}, {1}, {65}, {8192, 3}, {13, 0, 20011, 4, 33}}) {
      cases.push_back(step_case({.sizes = sizes, .kept = kept, .step = 1}));
    }
    cases.push_back(step_case({.sizes = {33, 5}, .kept = kept, .step = 1000, .decay = 0.0f}));
    cases.push_back(step_case({.sizes = {33, 5}, .kept = kept, .clip = 1.5}));
    for (const double bad : {kNan, kInfinity}) {
      cases.push_back(step_case({.sizes = {33, 5}, .kept = kept, .squares = bad}));
      cases.push_back(step_case({.sizes = {33, 5}, .kept = kept, .loss = bad}));
    }
    cases.push_back(step_case({.sizes = {33, 5}, .kept = kept, .refused = 1.0}));
    cases.push_back(step_case({.sizes = {33, 5}, .kept = kept, .clip = 1.5, .on_device = true}));
  }
  cases.push_back(step_case({.sizes = {}, .squares = kNan}));
  // More than a table of the cuda back end has room for.
  cases.push_back(step_case({.sizes = std::vector<std::int64_t>(1100, 3), .clip = 9.0}));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(step_case({.sizes = {33}, .fill = fill}));
  }
  add_coded_cases(cases);
  return cases;
}

}  // namespace lathe::conformance
