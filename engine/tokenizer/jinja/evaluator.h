// Computes the expressions of a chat template and keeps its variables.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/tokenizer/jinja/syntax.h"

namespace lathe::jinja {

class Evaluator {
 public:
  // Both must outlive it.
  Evaluator(const Program& program, Run& run) : program_(program), run_(run), scopes_(1) {}

  // Undefined where the run fails.
  Value evaluate(ExprId id);

  // The innermost scope is that of one pass of a loop; what is set there ends with it.
  void push_scope() { scopes_.emplace_back(); }
  void pop_scope() { scopes_.pop_back(); }
  void set(const std::string& name, Value value);
  // Sets `key` of the namespace that the variable `name` holds.
  void set_in_namespace(int line, const std::string& name, const std::string& key, Value value);

 private:
  using Scope = std::map<std::string, Value, std::less<>>;

  Value variable(const Expr& expr);
  Value attribute(const Expr& expr, const Value& object);
  Value item(const Expr& expr);
  Value slice_of(const Expr& expr);
  Value call(const Expr& expr);
  Value make_namespace(const Expr& expr);
  Value raise(const Expr& expr);
  Value filter_or_test(const Expr& expr);
  Value concatenation(const Expr& expr);
  Value comparison(const Expr& expr);
  Value list_of(const Expr& expr);
  Value choice(const Expr& expr);
  Value either(const Expr& expr);
  // The operands from `first` on; fails the run where some have names.
  std::vector<Value> arguments(const Expr& expr, std::size_t first);

  const Program& program_;
  Run& run_;
  std::vector<Scope> scopes_;
  std::vector<Scope> namespaces_;
};

}  // namespace lathe::jinja
