// The one program.
#include "app/cli.h"

int main(int argc, char** argv) {
  return lathe::app::run_command_line(argc, argv);
}
