// Programs that misbehave: each is stopped, sees nothing of the machine, and leaves nothing behind.
#include "engine/eval/sandbox.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace lathe {
namespace {

using testing::HasSubstr;
using testing::Not;

class Sandbox : public testing::Test {
 protected:
  void SetUp() override {
    const auto probe = run_sandboxed({"/usr/bin/true"}, "", {});
    if (!probe.ok()) {
      GTEST_SKIP() << probe.error().text();
    }
    if (!std::filesystem::exists("/usr/bin/python3")) {
      GTEST_SKIP() << "no python3 here";
    }
  }

  static SandboxRun python(const std::string& program, SandboxLimits limits = {}) {
    auto run = run_sandboxed({"/usr/bin/python3", "-I", "-S", "-"}, program, limits);
    EXPECT_TRUE(run.ok()) << run.error().text();
    return run.ok() ? *run : SandboxRun{};
  }
};

TEST_F(Sandbox, RunsAProgramAndTellsWhatItSaid) {
  const SandboxRun run = python("import sys, math\nprint(math.factorial(5))\nsys.exit(3)\n");
  EXPECT_EQ(run.status, 3);
  EXPECT_FALSE(run.timed_out);
  EXPECT_EQ(run.output, "120\n");
}

TEST_F(Sandbox, TakesInputLargerThanAPipe) {
  const std::string program = "x = '" + std::string(1 << 20, 'a') + "'\nprint(len(x))\n";
  EXPECT_EQ(python(program).output, "1048576\n");
}

TEST_F(Sandbox, EndsWhatLoops) {
  const SandboxRun run = python("while True: pass\n", {.wall_secs = 0.5});
  EXPECT_TRUE(run.timed_out);
  EXPECT_TRUE(python("import os\nos.close(1)\nos.close(2)\nwhile True: pass\n", {.wall_secs = 0.5})
                  .timed_out);
  EXPECT_TRUE(python("import signal,time\nfor s in range(1,32):\n  try: signal.signal(s, "
                     "signal.SIG_IGN)\n  except (OSError, ValueError): pass\ntime.sleep(60)\n",
                     {.wall_secs = 0.5})
                  .timed_out);
}

TEST_F(Sandbox, KeepsTheEndOfEndlessOutput) {
  const SandboxRun run = python("while True: print('x' * 1000)\n", {.wall_secs = 0.5});
  EXPECT_TRUE(run.timed_out);
  EXPECT_LE(run.output.size(), std::size_t{64} << 10);
}

TEST_F(Sandbox, BoundsTheProcesses) {
  const SandboxRun run = python(
      "import os, time\n"
      "made = 0\n"
      "try:\n"
      "  while made < 100:\n"
      "    if os.fork() == 0:\n"
      "      time.sleep(60)\n"
      "    made += 1\n"
      "except OSError as e:\n"
      "  print('refused after', made, type(e).__name__)\n",
      {.wall_secs = 5});
  EXPECT_THAT(run.output, HasSubstr("refused after"));
  EXPECT_FALSE(run.timed_out);
}

// A process that gets away from its parent holds no one up and does not live on.
TEST_F(Sandbox, TakesTheOrphansAlong) {
  const SandboxRun run = python(
      "import os, time\n"
      "if os.fork() == 0:\n"
      "  os.setsid()\n"
      "  if os.fork() == 0:\n"
      "    time.sleep(60)\n"
      "  os._exit(0)\n"
      "print('first is done')\n",
      {.wall_secs = 20});
  EXPECT_FALSE(run.timed_out);
  EXPECT_EQ(run.output, "first is done\n");
}

TEST_F(Sandbox, BoundsTheMemory) {
  const SandboxRun run = python("x = bytearray(2 << 30)\n");
  EXPECT_NE(run.status, 0);
  EXPECT_THAT(run.output, HasSubstr("MemoryError"));
}

TEST_F(Sandbox, BoundsTheFiles) {
  const SandboxRun one = python("open('/tmp/a', 'wb').write(b'x' * (64 << 20))\n");
  EXPECT_NE(one.status, 0);
  const SandboxRun many = python(
      "for i in range(64):\n"
      "  with open('/tmp/%d' % i, 'wb') as f: f.write(b'x' * (1 << 20))\n");
  EXPECT_THAT(many.output, HasSubstr("No space left"));
  const SandboxRun empty = python("for i in range(5000): open('/tmp/%d' % i, 'wb').close()\n");
  EXPECT_THAT(empty.output, HasSubstr("No space left"));
}

TEST_F(Sandbox, HasNoNetwork) {
  // A server of our own, on this machine's loopback: the program must not reach even that.
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(server, 1), 0);
  socklen_t size = sizeof address;
  getsockname(server, reinterpret_cast<sockaddr*>(&address), &size);
  const SandboxRun run = python(
      "import socket\n"
      "s = socket.socket()\n"
      "s.settimeout(1)\n"
      "try:\n"
      "  s.connect(('127.0.0.1', " +
      std::to_string(ntohs(address.sin_port)) +
      "))\n"
      "  print('connected')\n"
      "except OSError as e: print('refused', e)\n");
  EXPECT_THAT(run.output, HasSubstr("refused"));
  close(server);
}

TEST_F(Sandbox, SeesNothingOfTheMachineAndWritesNowhereElse) {
  const auto mine =
      std::filesystem::temp_directory_path() / ("lathe_secret_" + std::to_string(getpid()));
  std::ofstream(mine) << "secret";
  const SandboxRun run = python(
      "import os\n"
      "print('root', sorted(os.listdir('/')))\n"
      "print('temp', os.listdir('/tmp'))\n"
      "print('seen', os.path.exists('" +
      mine.string() +
      "'))\n"
      "print('ids', os.getuid(), os.getgid(), os.getpid())\n"
      "print('environment', sorted(os.environ))\n"
      "for path in ('/', '/usr', '/etc', '/dev', '/usr/lib'):\n"
      "  try:\n"
      "    open(path + '/lathe_was_here', 'w')\n"
      "    print('wrote', path)\n"
      "  except OSError as e: pass\n"
      "print('done')\n");
  EXPECT_THAT(run.output, HasSubstr("temp []"));
  EXPECT_THAT(run.output, HasSubstr("seen False"));
  EXPECT_THAT(run.output, HasSubstr("ids 65534 65534 1"));
  EXPECT_THAT(run.output, Not(HasSubstr("home")));
  EXPECT_THAT(run.output, Not(HasSubstr("proc")));
  EXPECT_THAT(run.output, Not(HasSubstr("wrote")));
  EXPECT_THAT(run.output, HasSubstr("done"));
  EXPECT_THAT(run.output, Not(HasSubstr("XDG")));
  EXPECT_FALSE(std::filesystem::exists("/usr/lathe_was_here"));
  std::filesystem::remove(mine);
}

TEST_F(Sandbox, CannotUndoItsConfinement) {
  const SandboxRun run = python(
      "import ctypes, os\n"
      "c = ctypes.CDLL(None, use_errno=True)\n"
      "print('remount', c.mount(b'none', b'/', None, 32 | 4096, None))\n"  // MS_REMOUNT | MS_BIND
      "print('mount', c.mount(b'tmpfs', b'/usr', b'tmpfs', 0, None))\n"
      "print('setuid', c.setresuid(0, 0, 0))\n"
      "print('umount', c.umount2(b'/usr', 2))\n");
  EXPECT_EQ(run.output, "remount -1\nmount -1\nsetuid -1\numount -1\n");
}

TEST_F(Sandbox, InheritsNoDescriptors) {
  const int open_here = dup(1);
  const SandboxRun run = python(
      "import os\n"
      "held = []\n"
      "for i in range(3, 64):\n"
      "  try:\n"
      "    os.fstat(i)\n"
      "    held.append(i)\n"
      "  except OSError: pass\n"
      "print(held)\n");
  EXPECT_EQ(run.output, "[]\n");
  close(open_here);
}

TEST_F(Sandbox, SaysWhichProgramCannotBeStarted) {
  const auto run = run_sandboxed({"/usr/bin/no_such_program"}, "", {});
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().kind, ErrorKind::kDevice);
  EXPECT_THAT(run.error().text(), HasSubstr("start the program"));
}

}  // namespace
}  // namespace lathe
