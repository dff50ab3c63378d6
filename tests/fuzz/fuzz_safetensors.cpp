// A safetensors file as it comes from a stranger.
#include "engine/io/hf_folder.h"
#include "engine/io/safetensors.h"
#include "tests/fuzz/framed_mutator.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/use_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe;
  static const fuzz::InputFile input("model.safetensors");
  const auto file = SafetensorsFile::open(input.fill(data, size));
  if (!file) {
    return 0;
  }
  for (const SafetensorsEntry& entry : file->entries()) {
    fuzz::touch(file->bytes(entry));
    CHECK(file->find(entry.name) != nullptr, "a tensor of the list is found by its name");
    const auto type = stored_type_of_safetensors(entry.dtype, entry.name);
    std::int64_t elements = 1;
    for (const std::int64_t extent : entry.shape) {
      elements *= extent;
    }
    CHECK(!type ||
              stored_bytes(*type, elements) == static_cast<std::int64_t>(file->bytes(entry).size()),
          "a tensor has the bytes of its shape");
  }
  return 0;
}

// Three of four times the header alone changes and its length is made to fit.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  return lathe::fuzz::mutate_framed(data, size, most, seed);
}
