// The stage: see stage.h.
#include "tests/ui/stage.h"

#include <imgui.h>
#include <imgui_impl_null.h>
#include <imgui_te_context.h>
#include <imgui_te_engine.h>
#include <implot.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

namespace lathe::ui::testing {

namespace {

constexpr float kFrameSecs = 1.0f / 60;

void start_engine(ImGuiTestEngine* engine) {
  ImGuiTestEngineIO& io = ImGuiTestEngine_GetIO(engine);
  io.ConfigSavedSettings = false;
  io.ConfigRunSpeed = ImGuiTestRunSpeed_Fast;
  io.ConfigNoThrottle = true;
  io.ConfigLogToTTY = true;
  io.ConfigVerboseLevelOnError = ImGuiTestVerboseLevel_Debug;
  io.ConfigFixedDeltaTime = kFrameSecs;
  io.ConfigMouseDrawCursor = false;
  io.ConfigCaptureEnabled = false;
  io.ConfigRestoreFocusAfterTests = false;
  ImGuiTestEngine_Start(engine, ImGui::GetCurrentContext());
}

}  // namespace

Stage::Stage(Options options) : options_(std::move(options)) {
  if (options_.pictures) {
    Result<std::unique_ptr<NativeWindow>> window = NativeWindow::open(
        {.width = options_.width, .height = options_.height, .off_screen = true});
    if (!window) {
      return;
    }
    window_ = std::move(window).value();
  } else {
    ImGui::CreateContext();
    ImPlot::CreateContext();
    ImGui_ImplNullPlatform_Init();
    ImGui_ImplNullRender_Init();
  }
  engine_ = ImGuiTestEngine_CreateContext();
  start_engine(engine_);
  store_.profile = options_.profile;
  store_.palettes = options_.palettes;
  if (options_.recorded) {
    record_into(store_);
  }
  live_ = std::make_unique<LiveView>(LiveView::Options{
      .now_ms = {}, .wake = {}, .min_interval_ms = 0, .max_log = 500, .max_memory_samples = 512});
  desk_ = std::make_unique<StoreDesk>(store_.port(), [] {});
  preview_ = std::make_unique<SweepPreview>(fake_predictor(), [] {});
  ranks_ = std::make_unique<RankPreview>(
      [](const RankQuestion& asked) {
        return experiments::plan_ranks(*asked.spectrum, asked.spec, 2);
      },
      [] {});
  steps_ = std::make_unique<StepPreview>(fake_steps(), [] {});
  bench_ = std::make_unique<Workbench>(WorkbenchPorts{.live = live_.get(),
                                                      .desk = desk_.get(),
                                                      .preview = preview_.get(),
                                                      .ranks = ranks_.get(),
                                                      .steps = steps_.get(),
                                                      .commands = &commands_,
                                                      .machine = "2 CPU threads, no GPU",
                                                      .installed_models = {"SmolLM2-135M-Instruct"},
                                                      .detach = options_.detach},
                                       options_.state, options_.scale);
  frames(3);
}

Stage::~Stage() {
  bench_.reset();
  preview_.reset();
  ranks_.reset();
  desk_.reset();
  if (engine_ != nullptr) {
    ImGuiTestEngine_Stop(engine_);
  }
  if (!options_.pictures) {
    ImGui_ImplNullRender_Shutdown();
    ImGui_ImplNullPlatform_Shutdown();
    ImPlot::DestroyContext();
    ImGui::DestroyContext();
  }
  window_.reset();
  if (engine_ != nullptr) {
    ImGuiTestEngine_DestroyContext(engine_);
  }
}

void Stage::frame() {
  const auto build = [&] { bench_->draw(static_cast<double>(kFrameSecs)); };
  if (window_) {
    window_->frame(build);
  } else {
    ImGui_ImplNullPlatform_NewFrame();
    ImGui_ImplNullRender_NewFrame();
    ImGui::GetIO().DisplaySize = {static_cast<float>(options_.width),
                                  static_cast<float>(options_.height)};
    ImGui::GetIO().DeltaTime = kFrameSecs;
    ImGui::NewFrame();
    build();
    ImGui::Render();
    ImGui_ImplNullRender_RenderDrawData(ImGui::GetDrawData());
  }
  ImGuiTestEngine_PreSwap(engine_);
  ImGuiTestEngine_PostSwap(engine_);
}

void Stage::frames(int count) {
  for (int i = 0; i < count; ++i) {
    frame();
  }
}

bool Stage::act(const std::string& name, const std::function<void(ImGuiTestContext*)>& script) {
  ImGuiTest* test = ImGuiTestEngine_RegisterTest(engine_, "window", name.c_str());
  test->TestFunc = script;
  ImGuiTestEngine_QueueTest(engine_, test);
  while (!ImGuiTestEngine_IsTestQueueEmpty(engine_)) {
    frame();
  }
  return test->Output.Status == ImGuiTestStatus_Success;
}

bool Stage::settle(const std::function<bool()>& done) {
  for (int i = 0; i < 500; ++i) {
    frame();
    if (done()) {
      frames(2);
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

void Stage::picture(const std::string& name) {
  frames(2);
  const Pixels pixels = window_->read_pixels(0, 0, options_.width, options_.height);
  ImGuiCaptureImageBuf image;
  image.CreateEmpty(pixels.width, pixels.height);
  std::memcpy(image.Data, pixels.rgba.data(), pixels.rgba.size());
  image.RemoveAlpha();
  std::filesystem::create_directories(LATHE_PICTURES);
  image.SaveFile((std::string(LATHE_PICTURES) + "/" + name + ".png").c_str());
}

}  // namespace lathe::ui::testing
