// GLFW, OpenGL and the two contexts; the only file that talks to the platform.
#include "ui/native_window.h"

#include <GLFW/glfw3.h>
#include <imgui.h>
#include <imgui_impl_glfw.h>
#include <imgui_impl_opengl3.h>
#include <imgui_impl_opengl3_loader.h>
#include <imgui_internal.h>
#include <implot.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace lathe::ui {

namespace {

// wake() comes from any thread, also while the window closes.
std::mutex open_mutex;
bool is_open = false;

void set_open(bool open) {
  const std::lock_guard lock(open_mutex);
  is_open = open;
}

Error glfw_error(const std::string& what) {
  const char* reason = nullptr;
  glfwGetError(&reason);
  return Error{ErrorKind::kDevice,
               what + (reason == nullptr ? std::string() : std::string(": ") + reason),
               "start it from a desktop session (DISPLAY must be set), or use it without a window: "
               "lathe sweep sample"};
}

// OpenGL 3.3 is the oldest that the renderer asks for.
GLFWwindow* create_window(const NativeWindowOptions& options) {
  glfwDefaultWindowHints();
  glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
  glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
  glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
  glfwWindowHint(GLFW_SCALE_TO_MONITOR, options.scale_size ? GLFW_TRUE : GLFW_FALSE);
  glfwWindowHint(GLFW_MAXIMIZED, options.maximized ? GLFW_TRUE : GLFW_FALSE);
  glfwWindowHintString(GLFW_X11_CLASS_NAME, "lathe");
  if (options.off_screen) {
    glfwWindowHint(GLFW_CONTEXT_CREATION_API, GLFW_OSMESA_CONTEXT_API);
  }
  return glfwCreateWindow(options.width, options.height, options.title.c_str(), nullptr, nullptr);
}

}  // namespace

Result<std::unique_ptr<NativeWindow>> NativeWindow::open(const NativeWindowOptions& options) {
  glfwInitHint(GLFW_PLATFORM, options.off_screen ? GLFW_PLATFORM_NULL : GLFW_ANY_PLATFORM);
  if (glfwInit() != GLFW_TRUE) {
    return glfw_error("no window can be opened");
  }
  GLFWwindow* window = create_window(options);
  if (window == nullptr) {
    Error error = glfw_error("no window with OpenGL 3.3 can be opened");
    glfwTerminate();
    return error;
  }
  return std::unique_ptr<NativeWindow>(new NativeWindow(window));
}

NativeWindow::NativeWindow(GLFWwindow* window) : window_(window) {
  glfwMakeContextCurrent(window_);
  glfwSwapInterval(1);
  IMGUI_CHECKVERSION();
  ImGui::CreateContext();
  ImPlot::CreateContext();
  ImGui_ImplGlfw_InitForOpenGL(window_, true);
  // ImGui's own loader asks the system's GL library, which knows nothing of an off-screen context.
  imgl3wInit2(glfwGetProcAddress);
  ImGui_ImplOpenGL3_Init("#version 130");
  set_open(true);
}

NativeWindow::~NativeWindow() {
  set_open(false);
  ImGui_ImplOpenGL3_Shutdown();
  ImGui_ImplGlfw_Shutdown();
  ImPlot::DestroyContext();
  ImGui::DestroyContext();
  glfwDestroyWindow(window_);
  glfwTerminate();
}

void NativeWindow::wait(double secs) {
  glfwWaitEventsTimeout(secs);
}

void NativeWindow::wake() {
  const std::lock_guard lock(open_mutex);
  if (is_open) {
    glfwPostEmptyEvent();
  }
}

bool NativeWindow::has_input() const {
  return ImGui::GetCurrentContext()->InputEventsQueue.Size > 0;
}

bool NativeWindow::close_pressed() {
  const bool pressed = glfwWindowShouldClose(window_) == GLFW_TRUE;
  glfwSetWindowShouldClose(window_, GLFW_FALSE);
  return pressed;
}

bool NativeWindow::iconified() const {
  return glfwGetWindowAttrib(window_, GLFW_ICONIFIED) == GLFW_TRUE;
}

bool NativeWindow::maximized() const {
  return glfwGetWindowAttrib(window_, GLFW_MAXIMIZED) == GLFW_TRUE;
}

void NativeWindow::size(int& width, int& height) const {
  glfwGetWindowSize(window_, &width, &height);
}

float NativeWindow::scale() const {
  return ImGui_ImplGlfw_GetContentScaleForWindow(window_);
}

void NativeWindow::frame(const std::function<void()>& build) {
  ImGui_ImplOpenGL3_NewFrame();
  ImGui_ImplGlfw_NewFrame();
  ImGui::NewFrame();
  build();
  ImGui::Render();
  int width = 0;
  int height = 0;
  glfwGetFramebufferSize(window_, &width, &height);
  glViewport(0, 0, width, height);
  const ImVec4 ground = ImGui::GetStyle().Colors[ImGuiCol_DockingEmptyBg];
  glClearColor(ground.x, ground.y, ground.z, 1.0f);
  glClear(GL_COLOR_BUFFER_BIT);
  ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
  glfwSwapBuffers(window_);
}

Pixels NativeWindow::read_pixels(int x, int y, int width, int height) const {
  int full_width = 0;
  int full_height = 0;
  glfwGetFramebufferSize(window_, &full_width, &full_height);
  Pixels out{width, height, {}};
  const auto row = static_cast<std::size_t>(width) * 4;
  out.rgba.resize(row * static_cast<std::size_t>(height));
  glPixelStorei(GL_PACK_ALIGNMENT, 1);
  glReadPixels(x, full_height - y - height, width, height, GL_RGBA, GL_UNSIGNED_BYTE,
               out.rgba.data());
  // OpenGL counts rows from below.
  for (int low = 0, high = height - 1; low < high; ++low, --high) {
    std::swap_ranges(out.rgba.begin() + static_cast<std::ptrdiff_t>(row) * low,
                     out.rgba.begin() + static_cast<std::ptrdiff_t>(row) * (low + 1),
                     out.rgba.begin() + static_cast<std::ptrdiff_t>(row) * high);
  }
  return out;
}

}  // namespace lathe::ui
