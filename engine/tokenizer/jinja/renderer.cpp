// See renderer.h.
#include "engine/tokenizer/jinja/renderer.h"

#include "engine/tokenizer/jinja/evaluator.h"
#include "engine/tokenizer/jinja/operators.h"

namespace lathe::jinja {
namespace {

class Renderer {
 public:
  Renderer(const Program& program, const Variables& variables, Run& run)
      : program_(program), run_(run), evaluator_(program, run) {
    for (const auto& [name, value] : variables) {
      evaluator_.set(name, value);
    }
  }

  std::string run() {
    render(program_.main);
    return std::move(output_);
  }

 private:
  void render(const Block& block);
  void render(const Statement& statement);
  void write(int line, std::string_view text);
  void render_if(const Statement& statement);
  void render_for(const Statement& statement);
  void render_set(const Statement& statement);
  std::vector<Value> loop_items(const Statement& statement);
  void set_targets(const Statement& statement, const Value& item);
  Value loop_state(int line, const std::vector<Value>& items, std::size_t index);

  const Program& program_;
  Run& run_;
  Evaluator evaluator_;
  std::string output_;
};

void Renderer::render(const Block& block) {
  for (const std::size_t id : block) {
    const Statement& statement = program_.statements[id];
    if (!run_.spend_steps(statement.line, 1)) {
      return;
    }
    render(statement);
  }
}

void Renderer::render(const Statement& statement) {
  switch (statement.kind) {
    case StatementKind::kText:
      write(statement.line, statement.text);
      break;
    case StatementKind::kPrint:
      write(statement.line, to_text(run_, statement.line, evaluator_.evaluate(statement.exprs[0])));
      break;
    case StatementKind::kIf:
      render_if(statement);
      break;
    case StatementKind::kFor:
      render_for(statement);
      break;
    case StatementKind::kSet:
      render_set(statement);
      break;
  }
}

void Renderer::write(int line, std::string_view text) {
  if (output_.size() + text.size() > kMaxOutputBytes) {
    run_.fail(line, "it writes more than " + std::to_string(kMaxOutputBytes >> 20U) +
                        " MiB, the most allowed");
  } else {
    output_ += text;
  }
}

void Renderer::render_if(const Statement& statement) {
  for (std::size_t i = 0; i < statement.blocks.size() && !run_.failed(); ++i) {
    const ExprId condition = statement.exprs[i];
    if (condition == kNoExpr || is_true(evaluator_.evaluate(condition))) {
      render(statement.blocks[i]);
      return;
    }
  }
}

void Renderer::render_set(const Statement& statement) {
  Value value = evaluator_.evaluate(statement.exprs[0]);
  if (statement.names.size() == 1) {
    evaluator_.set(statement.names[0], std::move(value));
  } else {
    evaluator_.set_in_namespace(statement.line, statement.names[0], statement.names[1],
                                std::move(value));
  }
}

// The loop's variables: the item, or one for each of its parts.
void Renderer::set_targets(const Statement& statement, const Value& item) {
  const std::vector<std::string>& names = statement.names;
  if (names.size() == 1) {
    evaluator_.set(names[0], item);
    return;
  }
  const List* parts = list_in(item);
  if (parts == nullptr || parts->items.size() != names.size()) {
    run_.fail(statement.line, "a loop with " + std::to_string(names.size()) +
                                  " variables needs lists of that many items, not " +
                                  std::string(type_name(item)));
    return;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    evaluator_.set(names[i], parts->items[i]);
  }
}

// What the loop goes over: the items that its condition holds for.
std::vector<Value> Renderer::loop_items(const Statement& statement) {
  std::vector<Value> items =
      items_of(run_, statement.line, evaluator_.evaluate(statement.exprs[0]));
  const ExprId condition = statement.exprs[1];
  if (condition == kNoExpr) {
    return items;
  }
  std::vector<Value> kept;
  evaluator_.push_scope();
  for (const Value& item : items) {
    if (run_.failed()) {
      break;
    }
    set_targets(statement, item);
    if (is_true(evaluator_.evaluate(condition))) {
      kept.push_back(item);
    }
  }
  evaluator_.pop_scope();
  return kept;
}

// The depth is that of recursive loops, so always the first.
Value Renderer::loop_state(int line, const std::vector<Value>& items, std::size_t index) {
  const auto at = static_cast<std::int64_t>(index);
  const auto count = static_cast<std::int64_t>(items.size());
  return run_.map(line, {{"index", at + 1},
                         {"index0", at},
                         {"first", index == 0},
                         {"last", at + 1 == count},
                         {"length", count},
                         {"revindex", count - at},
                         {"revindex0", count - at - 1},
                         {"depth", std::int64_t{1}},
                         {"depth0", std::int64_t{0}},
                         {"previtem", index > 0 ? items[index - 1] : Undefined{}},
                         {"nextitem", at + 1 < count ? items[index + 1] : Undefined{}}});
}

void Renderer::render_for(const Statement& statement) {
  constexpr std::size_t kStepsPerPass = 8;  // about what its state costs
  const std::vector<Value> items = loop_items(statement);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!run_.spend_steps(statement.line, kStepsPerPass)) {
      break;
    }
    evaluator_.push_scope();
    set_targets(statement, items[i]);
    evaluator_.set("loop", loop_state(statement.line, items, i));
    render(statement.blocks[0]);
    evaluator_.pop_scope();
  }
  if (items.empty() && statement.blocks.size() > 1) {
    evaluator_.push_scope();
    render(statement.blocks[1]);
    evaluator_.pop_scope();
  }
}

}  // namespace

Result<std::string> render_program(const Program& program, const Variables& variables, Run& run) {
  std::string output = Renderer(program, variables, run).run();
  if (run.failed()) {
    return run.error();
  }
  return output;
}

}  // namespace lathe::jinja
