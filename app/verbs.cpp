// The verbs in the order of --help.
#include "app/verbs.h"

#include <fmt/core.h>

#include <array>

#include "app/verb_list.h"
#include "engine/base/build_info.h"

namespace lathe::app {

std::span<const AddVerb> verbs() {
  static constexpr std::array kVerbs{
      &add_run,      &add_sweep,    &add_resume,    &add_retry, &add_replay,  &add_eval,
      &add_generate, &add_compress, &add_plan,      &add_ls,    &add_show,    &add_diff,
      &add_query,    &add_export,   &add_inspect,   &add_rm,    &add_restore, &add_gc,
      &add_doctor,   &add_describe, &add_completion};
  return kVerbs;
}

std::string version_text() {
  const BuildInfo& build = build_info();
  return fmt::format("lathe {} ({}, {}, {})", build.version, build.commit, build.compiler,
                     build.build_type);
}

}  // namespace lathe::app
