// A GLFW window with OpenGL 3 and Dear ImGui in it, as one owned object; also without a screen, for
// pictures in tests (GLFW's null platform with software rendering).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"

struct GLFWwindow;

namespace lathe::ui {

struct NativeWindowOptions {
  std::string title = "Lathe";
  int width = 1600;
  int height = 900;
  bool maximized = false;
  bool scale_size = false;  // width and height are points: times the monitor's scale
  bool off_screen = false;  // no display is touched
};

struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<unsigned char> rgba;  // top row first
};

class NativeWindow {
 public:
  // Creates the window and the ImGui and ImPlot contexts. kDevice with the reason if there is no
  // display or no OpenGL.
  static Result<std::unique_ptr<NativeWindow>> open(const NativeWindowOptions& options);
  ~NativeWindow();
  NativeWindow(const NativeWindow&) = delete;
  NativeWindow& operator=(const NativeWindow&) = delete;

  // Sleeps until input, wake() or the time is over.
  void wait(double secs);
  // Ends a wait from any thread, also when no window is open.
  static void wake();
  // Input has come since the last frame.
  bool has_input() const;
  // The person pressed the close button; asked once per press.
  bool close_pressed();
  bool iconified() const;
  bool maximized() const;
  // Size in screen coordinates, without decorations.
  void size(int& width, int& height) const;
  // Pixels per point of the monitor that the window is on.
  float scale() const;

  // Draws one frame: `build` runs between ImGui's NewFrame and Render.
  void frame(const std::function<void()>& build);
  // What frame() drew last.
  Pixels read_pixels(int x, int y, int width, int height) const;

 private:
  explicit NativeWindow(GLFWwindow* window);

  GLFWwindow* window_ = nullptr;
};

}  // namespace lathe::ui
