// All methods, one line each, sorted by id.
#include <algorithm>
#include <array>

#include "engine/methods/dkm/dkm.h"
#include "engine/methods/galore/galore.h"
#include "engine/methods/hydra/hydra.h"
#include "engine/methods/lora/lora.h"
#include "engine/methods/low_rank/low_rank.h"
#include "engine/methods/method.h"
#include "engine/methods/ssf/ssf.h"
#include "engine/methods/velora/velora.h"

namespace lathe {

std::span<const Method> methods() {
  static const std::array kMethods{dkm_method(),   galore_method(),   hydra_method(),
                                   lora_method(),  low_rank_method(), ssf_method(),
                                   velora_method()};
  return kMethods;
}

const Method* find_method(std::string_view id) {
  const auto all = methods();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Method& method) { return method.id == id; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace lathe
