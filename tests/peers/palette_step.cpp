// A step of DKM on the matrix, the centroids and the upstream gradient of a file, for those who
// compare it with another implementation.
//   palette_step IN.safetensors OUT.safetensors ITERATIONS TAU FLOOR
// IN: weight [R, C], centroids [K, d] and upstream [R, C], f32. OUT: soft [R, C], gradient [R, C],
// centroids [K, d], and hard [R, C], the nearest of those.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "engine/io/safetensors.h"
#include "engine/nn/palette.h"

namespace lathe {
namespace {

Shape shape_of(const SafetensorsEntry& entry) {
  CHECK(entry.dtype == "F32" && entry.shape.size() == 2, "matrices of f32 are expected");
  return Shape{entry.shape[0], entry.shape[1]};
}

struct Named {
  std::string name;
  Shape shape;
  std::vector<float> values;
};

Result<void> write_file(const char* path, const std::vector<Named>& tensors) {
  SafetensorsWriter writer;
  for (const Named& tensor : tensors) {
    writer.declare(tensor.name, DType::kF32, {tensor.shape[0], tensor.shape[1]});
  }
  Result<void> done = writer.open(path);
  for (std::size_t i = 0; done && i < tensors.size(); ++i) {
    done = writer.write(tensors[i].values.data(), tensors[i].values.size() * sizeof(float));
  }
  return done ? writer.commit() : done;
}

Result<void> step(char** argv) {
  const auto file = SafetensorsFile::open(argv[1]);
  if (!file) {
    return file.error();
  }
  const auto bytes = [&](const char* name) {
    const SafetensorsEntry* entry = file->find(name);
    CHECK(entry != nullptr, "a tensor is missing");
    return file->bytes(*entry);
  };
  const Shape shape = shape_of(*file->find("weight"));
  const Shape centroids = shape_of(*file->find("centroids"));
  const auto tau = std::strtof(argv[4], nullptr);
  const PalettePlan plan{.clusters = centroids[0],
                         .dim = centroids[1],
                         .iterations = std::atoi(argv[3]),
                         .floor = std::atof(argv[5])};
  auto backend = make_backend("cpu", 2);
  if (!backend) {
    return backend.error();
  }
  Parameter weight = make_parameter(**backend, "layer", "weight", shape, true);
  (*backend)->write(weight.weight, bytes("weight").data(), weight.weight.ref().bytes());
  Palette palette(**backend, "layer", "weight", plan, shape);
  const auto state = palette.state();  // centroids, then tau
  (*backend)->write(state[0].second, bytes("centroids").data(), state[0].second.bytes());
  (*backend)->write(state[1].second, &tau, sizeof tau);
  palette.filled();
  const auto values_of = [&](TensorRef tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    (*backend)->read(tensor, values.data(), tensor.bytes());
    return values;
  };
  std::vector<Named> out;
  palette.set_soft(true);
  out.push_back({"soft", shape, values_of(palette.weights(weight.weight))});
  const TensorRef gradient = gradient_slot(**backend, weight).gradient;
  (*backend)->write(gradient, bytes("upstream").data(), gradient.bytes());
  palette.finish(weight);
  out.push_back({"gradient", shape, values_of(weight.gradient)});
  out.push_back({"centroids", centroids, values_of(state[0].second)});
  palette.set_soft(false);
  out.push_back({"hard", shape, values_of(palette.weights(weight.weight))});
  return write_file(argv[2], out);
}

}  // namespace
}  // namespace lathe

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "palette_step IN.safetensors OUT.safetensors ITERATIONS TAU FLOOR\n");
    return 64;
  }
  const auto done = lathe::step(argv);
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().text().c_str());
  }
  return done ? 0 : 1;
}
