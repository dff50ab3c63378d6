// The two hooks that every method with a described parameter struct shares.
#pragma once

#include "engine/methods/method.h"

namespace lathe {

template <Described Params>
void append_method_params(std::string_view prefix, std::vector<ParamInfo>& out) {
  append_params<Params>(prefix, out);
}

template <Described Params>
Json normalise_params(const Json& in, const std::string& prefix, std::vector<std::string>& errors) {
  Params params;
  read_json(in, params, prefix, errors);
  return to_json(params);
}

// Parameters that normalise() has already accepted.
template <Described Params>
Params accepted_params(const Json& canonical) {
  Params params;
  std::vector<std::string> errors;
  read_json(canonical, params, "", errors);
  CHECK(errors.empty(), "method parameters are normalised before they are used");
  return params;
}

}  // namespace lathe
