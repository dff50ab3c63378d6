// The part of the parser that reads expressions, by recursive descent in the order of Jinja's own
// parser (jinja2/parser.py of 3.1), whose levels of precedence differ from Python's for `~`,
// filters and tests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizer/jinja/lexer.h"
#include "engine/tokenizer/jinja/syntax.h"

namespace lathe::jinja {

// The tokens, with the place where the parser is. After a failure that place is the last token,
// which ends every loop of the parser.
class TokenReader {
 public:
  explicit TokenReader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& peek() const { return tokens_[at_]; }
  const Token& peek_next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take();
  bool is(TokenKind kind) const { return peek().kind == kind; }
  bool is_operator(std::string_view name) const;
  bool is_name(std::string_view name) const;
  // Takes the token if it is this one.
  bool skip_operator(std::string_view name);
  bool skip_name(std::string_view name);
  // Takes the token, which must be this one.
  void expect(TokenKind kind, std::string_view what);
  void expect_operator(std::string_view name);
  void expect_name(std::string_view name);
  // A name that is not a word of the language.
  std::string expect_variable();

  void fail(int line, const std::string& what);
  // "`what` is expected, not ..."
  void fail_expected(std::string_view what);
  const std::optional<Error>& error() const { return error_; }

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
};

class ExpressionParser {
 public:
  ExpressionParser(TokenReader& tokens, std::vector<Expr>& exprs)
      : tokens_(tokens), exprs_(exprs) {}

  // A whole expression; of a failed one the number means nothing.
  ExprId parse();
  // One without the ternary `if`: what a loop goes over.
  ExprId parse_or();

 private:
  ExprId parse_and();
  ExprId parse_not();
  ExprId parse_compare();
  ExprId parse_sum();
  ExprId parse_concat();
  ExprId parse_remainder();
  ExprId parse_unary(bool with_filters);
  ExprId parse_primary();
  ExprId parse_literal_name();
  ExprId parse_strings();
  ExprId parse_parenthesis();
  ExprId parse_postfix(ExprId value);
  ExprId parse_filters(ExprId value);
  ExprId parse_filter(ExprId value);
  ExprId parse_test(ExprId value);
  ExprId parse_subscript(ExprId value);
  void parse_arguments(Expr& call);
  std::string comparison();

  // Puts the expression behind the others, if it is not nested too deeply.
  ExprId add(Expr expr);
  ExprId add_pair(ExprKind kind, int line, ExprId left, ExprId right, std::string name = "");

  TokenReader& tokens_;
  std::vector<Expr>& exprs_;
  int nesting_ = 0;
};

}  // namespace lathe::jinja
