// See evaluator.h.
#include "engine/tokenizer/jinja/evaluator.h"

#include <algorithm>

#include "engine/tokenizer/jinja/library.h"
#include "engine/tokenizer/jinja/operators.h"

namespace lathe::jinja {
namespace {

// What templates can call without setting it; as values they are not known here.
constexpr std::string_view kFunctions[] = {"cycler",    "dict",  "joiner",         "lipsum",
                                           "namespace", "range", "raise_exception"};

bool is_function(std::string_view name) {
  return std::find(std::begin(kFunctions), std::end(kFunctions), name) != std::end(kFunctions);
}

}  // namespace

Value Evaluator::evaluate(ExprId id) {
  const Expr& expr = program_.exprs[id];
  if (!run_.spend_steps(expr.line, 1)) {
    return Undefined{};
  }
  switch (expr.kind) {
    case ExprKind::kLiteral:
      return expr.literal;
    case ExprKind::kName:
      return variable(expr);
    case ExprKind::kList:
      return list_of(expr);
    case ExprKind::kAttribute:
      return attribute(expr, evaluate(expr.operands[0]));
    case ExprKind::kIndex:
      return item(expr);
    case ExprKind::kSlice:
      return slice_of(expr);
    case ExprKind::kCall:
      return call(expr);
    case ExprKind::kFilter:
    case ExprKind::kTest:
      return filter_or_test(expr);
    case ExprKind::kNot:
      return !is_true(evaluate(expr.operands[0]));
    case ExprKind::kNegate:
      return negated(run_, expr.line, evaluate(expr.operands[0]));
    case ExprKind::kAnd:
    case ExprKind::kOr:
      return either(expr);
    case ExprKind::kArithmetic: {
      const Value left = evaluate(expr.operands[0]);
      return arithmetic(run_, expr.line, expr.name, left, evaluate(expr.operands[1]));
    }
    case ExprKind::kConcat:
      return concatenation(expr);
    case ExprKind::kCompare:
      return comparison(expr);
    case ExprKind::kChoice:
      return choice(expr);
  }
  return Undefined{};
}

void Evaluator::set(const std::string& name, Value value) {
  scopes_.back().insert_or_assign(name, std::move(value));
}

Value Evaluator::variable(const Expr& expr) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = scope->find(expr.name); found != scope->end()) {
      return found->second;
    }
  }
  if (is_function(expr.name)) {
    return run_.fail(expr.line,
                     "the function " + quoted(expr.name) + " as a value is not known here");
  }
  return Undefined{};
}

void Evaluator::set_in_namespace(int line, const std::string& name, const std::string& key,
                                 Value value) {
  const Value holder = variable({.line = line, .name = name});
  if (const auto* id = std::get_if<NamespaceId>(&holder)) {
    namespaces_[id->index].insert_or_assign(key, std::move(value));
  } else {
    run_.fail(line, quoted(name) + " is " + std::string(type_name(holder)) +
                        ", and only a namespace's parts can be set");
  }
}

Value Evaluator::attribute(const Expr& expr, const Value& object) {
  if (const auto* id = std::get_if<NamespaceId>(&object)) {
    const Scope& names = namespaces_[id->index];
    const auto found = names.find(expr.name);
    return found != names.end() ? found->second : Undefined{};
  }
  if (is_undefined(object)) {
    return run_.fail(expr.line, quoted(expr.name) + " is asked of an undefined value");
  }
  if (has_method(object, expr.name)) {
    return run_.fail(expr.line,
                     "the method " + quoted(expr.name) + " as a value is not known here");
  }
  const Map* map = map_in(object);
  const Value* found = map != nullptr ? map->find(expr.name) : nullptr;
  return found != nullptr ? *found : Undefined{};
}

Value Evaluator::item(const Expr& expr) {
  const Value object = evaluate(expr.operands[0]);
  const Value key = evaluate(expr.operands[1]);
  const Map* map = map_in(object);
  const std::string* name = text_in(key);
  if (name != nullptr && (map == nullptr || map->find(*name) == nullptr)) {
    return attribute({.line = expr.line, .name = *name}, object);
  }
  return item_at(run_, expr.line, object, key);
}

Value Evaluator::slice_of(const Expr& expr) {
  const Value object = evaluate(expr.operands[0]);
  std::optional<std::int64_t> bounds[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const ExprId id = expr.operands[i + 1];
    const Value bound = id != kNoExpr ? evaluate(id) : None{};
    bounds[i] = integer_in(bound);
    if (!bounds[i] && !std::holds_alternative<None>(bound)) {
      return run_.fail(expr.line, "the bound of a slice is " + std::string(type_name(bound)) +
                                      ", not an integer");
    }
  }
  return slice(run_, expr.line, object,
               {.first = bounds[0], .end = bounds[1], .step = bounds[2].value_or(1)});
}

std::vector<Value> Evaluator::arguments(const Expr& expr, std::size_t first) {
  std::vector<Value> values;
  if (!expr.labels.empty()) {
    run_.fail(expr.line, "the argument " + quoted(expr.labels[0]) + " of '" + expr.name +
                             "' is not known here");
    return values;
  }
  for (std::size_t i = first; i < expr.operands.size(); ++i) {
    values.push_back(evaluate(expr.operands[i]));
  }
  return values;
}

// Functions and methods are not values here: what is called must be named.
Value Evaluator::call(const Expr& expr) {
  const Expr& callee = program_.exprs[expr.operands[0]];
  if (callee.kind == ExprKind::kAttribute) {
    const Value object = evaluate(callee.operands[0]);
    Expr named = expr;
    named.name = callee.name;
    const std::vector<Value> values = arguments(named, 1);
    return run_.failed() ? Undefined{}
                         : call_method({run_, expr.line, callee.name, object, values});
  }
  if (callee.kind != ExprKind::kName) {
    return run_.fail(expr.line, "calling a value is not known here");
  }
  if (callee.name == "namespace") {
    return make_namespace(expr);
  }
  if (callee.name == "raise_exception") {
    return raise(expr);
  }
  return run_.fail(expr.line, "the function " + quoted(callee.name) + " is not known here");
}

Value Evaluator::make_namespace(const Expr& expr) {
  Scope names;
  const std::size_t unnamed = expr.operands.size() - expr.labels.size();
  if (unnamed != 1) {
    return run_.fail(expr.line, "'namespace' with arguments without a name is not known here");
  }
  for (std::size_t i = 0; i < expr.labels.size(); ++i) {
    names.insert_or_assign(expr.labels[i], evaluate(expr.operands[unnamed + i]));
  }
  namespaces_.push_back(std::move(names));
  return NamespaceId{namespaces_.size() - 1};
}

Value Evaluator::raise(const Expr& expr) {
  const std::vector<Value> values = arguments(expr, 1);
  const std::string text = values.empty() ? "" : to_text(run_, expr.line, values[0]);
  return run_.fail(expr.line, "it refuses the messages: " + shown(text), ErrorKind::kUsage);
}

Value Evaluator::filter_or_test(const Expr& expr) {
  const Value self = evaluate(expr.operands[0]);
  const std::vector<Value> values = arguments(expr, 1);
  if (run_.failed()) {
    return Undefined{};
  }
  const Call use{run_, expr.line, expr.name, self, values};
  return expr.kind == ExprKind::kFilter ? apply_filter(use) : Value(apply_test(use));
}

Value Evaluator::concatenation(const Expr& expr) {
  std::string out;
  for (const ExprId operand : expr.operands) {
    out += to_text(run_, expr.line, evaluate(operand));
  }
  return run_.text(expr.line, std::move(out));
}

// a < b < c compares neighbours and stops at the first that fails.
Value Evaluator::comparison(const Expr& expr) {
  Value left = evaluate(expr.operands[0]);
  for (std::size_t i = 0; i < expr.labels.size(); ++i) {
    Value right = evaluate(expr.operands[i + 1]);
    if (run_.failed() || !compare(run_, expr.line, expr.labels[i], left, right)) {
      return false;
    }
    left = std::move(right);
  }
  return true;
}

Value Evaluator::list_of(const Expr& expr) {
  return run_.list(expr.line, arguments(expr, 0), expr.is_tuple);
}

Value Evaluator::choice(const Expr& expr) {
  const bool holds = is_true(evaluate(expr.operands[0]));
  const ExprId chosen = expr.operands[holds ? 1 : 2];
  return chosen != kNoExpr ? evaluate(chosen) : Undefined{};
}

// `and` and `or` give the operand that decides.
Value Evaluator::either(const Expr& expr) {
  Value left = evaluate(expr.operands[0]);
  const bool decided = is_true(left) == (expr.kind == ExprKind::kOr);
  return decided ? left : evaluate(expr.operands[1]);
}

}  // namespace lathe::jinja
