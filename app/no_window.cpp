// `lathe` without a verb, in a build without the window.
#include "app/verbs.h"

namespace lathe::app {

int open_window(const GlobalOptions& options) {
  return report_error({ErrorKind::kDevice, "this build has no window",
                       "`lathe sweep sample` runs the sample sweep here; to have the window, build "
                       "with -DLATHE_GUI=ON"},
                      options);
}

}  // namespace lathe::app
