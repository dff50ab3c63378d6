// `lathe` without a verb: store, session and window, wired together.
#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "app/children.h"
#include "app/compress_desk.h"
#include "app/config_source.h"
#include "app/environment.h"
#include "app/model_desk.h"
#include "app/signal_watch.h"
#include "app/stored_work.h"
#include "app/verbs.h"
#include "app/window.h"
#include "app/workplace.h"
#include "engine/backend/backend.h"
#include "engine/base/paths.h"
#include "engine/lm/installed_models.h"
#include "experiments/calibration.h"
#include "experiments/device.h"
#include "experiments/event_bus.h"
#include "experiments/plan_profile.h"
#include "experiments/predict.h"
#include "experiments/session.h"

namespace lathe::app {
namespace {

using namespace experiments;

Result<void> apply_edit(storage::RunStore& store, const ui::StoreEdit& edit) {
  if (const auto* tags = std::get_if<ui::SetTags>(&edit)) {
    return store.set_tags(tags->run, tags->tags);
  }
  if (const auto* note = std::get_if<ui::SetNote>(&edit)) {
    return store.set_note(note->run, note->note);
  }
  if (const auto* name = std::get_if<ui::RenameRun>(&edit)) {
    return store.rename(name->run, name->name);
  }
  if (const auto* trash = std::get_if<ui::TrashRun>(&edit)) {
    return store.trash(trash->run);
  }
  return store.restore(std::get<ui::RestoreRun>(edit).run);
}

// Reads what the store holds, all events so far included, with a catalogue of its own: the session
// asks on its thread.
template <typename Work>
Result<Work> read_work(storage::RunStore& store, const std::string& file,
                       const std::function<Result<Work>(storage::RunCatalog&)>& read) {
  if (const Result<void> written = store.flush(); !written) {
    return written.error();
  }
  const Result<std::unique_ptr<storage::RunCatalog>> catalog = storage::open_catalog(file);
  return catalog ? read(**catalog) : Result<Work>(catalog.error());
}

// The sample sweep with as many steps as this machine does in its time.
Result<ui::SampleOffer> make_sample(const GlobalOptions& options) {
  Result<Json> document = load_config("sample");
  if (!document) {
    return document.error();
  }
  apply_machine_options(options, *document);
  const Result<SweepSpec> sweep = sweep_from_json(*document);
  if (!sweep) {
    return sweep.error();
  }
  const double secs = sweep->target_secs;
  const Predictor predict = make_predictor(options.threads);
  const Result<SweepSpec> fitted = calibrate(*sweep, predict);
  if (!fitted) {
    return fitted.error();
  }
  const Result<std::vector<PlannedPoint>> points = expand(*fitted, predict);
  if (!points) {
    return points.error();
  }
  return ui::SampleOffer{
      .sweep = to_json(*fitted), .points = static_cast<std::int64_t>(points->size()), .secs = secs};
}

// The Memory panel's step of settings.
Result<ui::PlannedScene> planned_scene(const Json& run, int threads) {
  const auto spec = run_spec_from_json(run);
  if (!spec) {
    return spec.error();
  }
  auto planned = plan_profile(*spec, threads);
  if (!planned) {
    return planned.error();
  }
  return ui::PlannedScene{.scene = ui::step_scene(planned->profile),
                          .peak = planned->profile.peak,
                          .sub_token_sizes = std::move(planned->sub_token_sizes)};
}

std::string machine_text(const GlobalOptions& options) {
  const auto device = experiments::resolve_device(options.device);
  if (!device) {
    return device.error().message;
  }
  if (cuda_index(*device)) {
    return "CUDA engine, " + *device;
  }
  const auto machine = experiments::machine_shape(*device, options.threads);
  return machine ? fmt::format("CPU engine, {} threads", machine->parallelism)
                 : machine.error().message;
}

// `lathe resume ID` in a session of its own, which outlives this process and its terminal.
Result<void> resume_detached(const GlobalOptions& options, const std::string& id) {
  std::vector<std::string> words{
      executable_path().string(), "--store", store_path(options), "--quiet", "resume", id};
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t files;
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0);
  }
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, words[0].c_str(), &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    return Error{ErrorKind::kFailed, "the run could not be started again without a window",
                 "run `lathe resume " + id + "`"};
  }
  return {};
}

// Where the window's commands go: jobs on models to their lane, the rest to the session.
class CommandRouter final : public CommandSink {
 public:
  CommandRouter(Session& session, ModelLane& lane) : session_(session), lane_(lane) {}

  void send(Command command) override {
    if (auto* open = std::get_if<OpenModel>(&command)) {
      lane_.send(std::move(*open));
    } else if (auto* evaluate = std::get_if<EvaluateModel>(&command)) {
      lane_.send(std::move(*evaluate));
    } else if (auto* generate = std::get_if<Generate>(&command)) {
      lane_.send(std::move(*generate));
    } else if (auto* wanted = std::get_if<ExportModel>(&command)) {
      lane_.send(std::move(*wanted));
    } else if (auto* decompose = std::get_if<DecomposeModel>(&command)) {
      lane_.send(std::move(*decompose));
    } else if (auto* probe = std::get_if<ProbeQuant>(&command)) {
      lane_.send(std::move(*probe));
    } else if (auto* compress = std::get_if<CompressModel>(&command)) {
      lane_.send(std::move(*compress));
    } else if (const auto* cancel = std::get_if<CancelJob>(&command)) {
      lane_.cancel(cancel->job);
    } else {
      session_.send(std::move(command));
    }
  }

 private:
  Session& session_;
  ModelLane& lane_;
};

class WindowPlace {
 public:
  explicit WindowPlace(const GlobalOptions& options)
      : options_(options), signals_([](int) { wake_window(); }) {}

  Result<void> run() {
    Result<std::unique_ptr<storage::RunStore>> store = storage::open_store(store_path(options_));
    if (!store) {
      return store.error();
    }
    store_ = std::move(store).value();
    if (const auto dead = store_->mark_dead_runs(); !dead) {
      return dead.error();
    }
    bus_.add(*store_);
    bus_.add(live_);
    Result<void> shown;
    {
      Session session(session_ports());
      ModelDesk desk(options_, store_path(options_), bus_);
      ModelLane lane(desk.work(), bus_);
      CommandRouter router(session, lane);
      shown = show_window(window_ports(router));
    }
    if (const Result<void> written = store_->flush(); !written) {
      return written.error();
    }
    return detached_.empty() ? shown : resume_detached(options_, detached_);
  }
  int signal() const { return signals_.received(); }
  int signal_exit_code() const { return signals_.exit_code(); }

 private:
  SessionPorts session_ports() {
    const std::string file = store_path(options_);
    SessionPorts ports;
    ports.runner.sink = &bus_;
    ports.runner.trouble = [this] { return store_->failure(); };
    ports.runner.environment = environment();
    ports.runner.checkpoint_root = checkpoint_root();
    ports.predict = make_predictor(options_.threads);
    ports.child = [this](const RunRequest& request) {
      const Result<void> written = store_->flush();  // the child reads its run there
      return written ? children_.run(request) : exit_code(written.error().kind);
    };
    ports.to_continue = [this, file](const std::string& id) {
      return read_work<StoredWork>(*store_, file, [&](storage::RunCatalog& catalog) {
        return work_to_continue(catalog, id);
      });
    };
    ports.to_retry = [this, file](const SweepId& sweep) {
      return read_work<SweepWork>(*store_, file, [&](storage::RunCatalog& catalog) {
        return work_to_retry(catalog, sweep);
      });
    };
    ports.record = [this, file](const RunId& run) {
      return read_work<RecordedRun>(
          *store_, file, [&](storage::RunCatalog& catalog) { return recorded_run(catalog, run); });
    };
    return ports;
  }

  WindowPorts window_ports(CommandSink& commands) {
    const std::string file = store_path(options_);
    WindowPorts ports;
    ports.commands = &commands;
    ports.live = &live_;
    ports.store = {.open = [file] { return storage::open_catalog(file); },
                   .edit = [this](const ui::StoreEdit& edit) { return apply_edit(*store_, edit); }};
    ports.predict = make_predictor(options_.threads);
    ports.ranks = [](const ui::RankQuestion& asked) {
      return plan_ranks(*asked.spectrum, asked.spec, window_bytes_per_param());
    };
    ports.steps = [this](const Json& run) { return planned_scene(run, options_.threads); };
    ports.sample = [this] { return make_sample(options_); };
    ports.detach = [this](const std::string& id) { detached_ = id; };
    ports.leaving = [this] { return signals_.received() != 0; };
    ports.machine = machine_text(options_);
    ports.installed_models = installed_models();
    ports.state_file = (state_dir() / "ui.json").string();
    return ports;
  }

  const GlobalOptions& options_;
  SignalWatch signals_;  // before anything that starts a thread
  Children children_{child_arguments(options_)};
  std::unique_ptr<storage::RunStore> store_;
  ui::LiveView live_{{.now_ms = {}, .wake = wake_window}};
  EventBus bus_;
  std::string detached_;
};

}  // namespace

int open_window(const GlobalOptions& options) {
  WindowPlace place(options);
  const Result<void> done = place.run();
  if (!done) {
    return report_error(done.error(), options);
  }
  return place.signal() == 0 ? 0 : place.signal_exit_code();
}

}  // namespace lathe::app
